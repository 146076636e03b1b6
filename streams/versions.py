"""What of Faust and aiokafka is installed, and whether their compiled parts are there: without them a worker is much slower."""

from __future__ import annotations

from importlib import import_module

COMPILED = ("faust._cython.streams", "aiokafka.record._crecords")


def missing_compiled() -> list[str]:
    """Compiled modules that can't be imported."""
    missing = []
    for name in COMPILED:
        try:
            import_module(name)
        except ImportError:
            missing.append(name)
    return missing
