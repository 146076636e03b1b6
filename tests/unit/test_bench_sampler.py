"""The sampler names the layer of a stack by its innermost frame that it knows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from bench.sampler import LAYERS, layer_of


def frame(*calls: tuple[str, str]) -> FrameType:
    """The frame at the end of a chain of functions of these (file, name), outermost first."""
    names: dict[str, Any] = {"current": lambda: sys._getframe(1)}
    inner = "current()"
    for path, name in reversed(calls):
        exec(compile(f"def {name}():\n    return {inner}", path, "exec"), names)
        inner = f"{name}()"
    return eval(inner, names)


def test_the_innermost_known_frame_decides() -> None:
    work = [("/app/streams/loop.py", "_evolve"), ("/app/portrait/evolve.py", "evolve")]
    assert layer_of(frame(*work)) == ("evolve", False)
    assert layer_of(frame(*work, ("/app/portrait/features/needs.py", "fold"))) == ("evolve", False)
    assert layer_of(frame(*work, ("/app/portrait/show.py", "show"), ("/app/portrait/features/needs.py", "view"))) == (
        "view",
        False,
    )
    assert layer_of(frame(("/app/streams/profiles.py", "_write"), ("/app/portrait/state.py", "encode"))) == ("encode", False)


def test_ticks_are_told_apart_by_who_called() -> None:
    assert layer_of(frame(("/app/streams/loop.py", "_ticks"), ("/app/portrait/settle.py", "settle"))) == ("settle", True)


def test_what_nobody_knows_is_other() -> None:
    assert layer_of(frame(("/usr/lib/python3.11/selectors.py", "select"))) == ("other", False)


def test_the_files_and_functions_that_layers_name_exist() -> None:
    """A rename would quietly move its time to another layer."""
    root = Path(__file__).parent.parent.parent
    ours = [(part, only) for part, only, _ in LAYERS if part.startswith(("streams/", "portrait/", "schemas/", "profile_store/"))]
    for part, only in ours:
        assert (root / part).exists(), part
        assert all(f"def {name}(" in (root / part).read_text() for name in only), (part, only)
    assert "def _ticks(" in (root / "streams/loop.py").read_text()
