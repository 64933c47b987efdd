"""JSON logs: static event names, key-values, personal data dropped.

Keys in `PRIVATE_KEYS` never reach the output, whatever a caller passes: their values become `[private]`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog

PRIVATE_KEYS = frozenset(
    {
        "text", "words", "passage", "summary", "name", "phone", "phone_number", "caller_number", "email", "body",
        "token", "access_token", "refresh_token", "jwt", "password", "secret", "authorization", "value", "notification",
    }
)  # fmt: skip


def _hide_private(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event.keys() & PRIVATE_KEYS:
        event[key] = "[private]"
    return event


def configure(*, service: str, level: str, stream: TextIO | None = None) -> None:
    """Set up logging for the process: one JSON object a line, libraries' warnings included.

    `stream` is for programs whose standard output is their result.
    """
    stream = stream or sys.stdout
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _hide_private,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_LibraryFormatter(service))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _LibraryFormatter(logging.Formatter):
    """A library's record as a line of ours: its logger and template, not its arguments, which may hold anything."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        line = {
            "service": self.service,
            "event": "library_log",
            "logger": record.name,
            "template": str(record.msg)[:300] if record.args else str(record.msg)[:120],
            "level": record.levelname.lower(),
            "at": self.formatTime(record),
        }
        return orjson.dumps(line | ({"error": error} if error else {})).decode()
