"""Structured logs: JSON lines for machines, colours on a terminal; never personal data.

Ours and the libraries' lines go the same way. A field named like personal data is taken out, and its name is noted in
``refused``: raising inside a log call would break what it was to describe.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

#: Fields that hold, or may hold, who somebody is or what they said.
PERSONAL = frozenset(
    {
        "customer_id",
        "customer",
        "identity",
        "external_id",
        "id",
        "ids",
        "key",
        "keys",
        "handle",
        "name",
        "email",
        "phone",
        "address",
    }
    | {"value", "values", "record", "data", "payload", "headers", "state", "profile", "text", "subject", "query"}
)


LIBRARIES = ("faust", "mode", "aiokafka", "streams.transport")


def refuse_personal(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: without personal fields, their names in ``refused``."""
    refused = sorted(PERSONAL.intersection(event))
    for name in refused:
        del event[name]
    if refused:
        event["refused"] = refused
    return event


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Once, at the start of a process. ``level`` as in logging; ``stream`` is stderr if not given. Raises ValueError."""
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks as text: the structured ones would carry local variables, that is, events.
    final: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if stream.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, refuse_personal, *final],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in LIBRARIES:  # their INFO tells of every start of every inner service
        logging.getLogger(name).setLevel(logging.DEBUG if level.upper() == "DEBUG" else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: ``logger(__name__).info("batch done", records=17)``. The event is a fixed phrase, figures are fields."""
    return structlog.get_logger(name)
