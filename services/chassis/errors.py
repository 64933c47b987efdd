"""Errors, split by what the caller does about them.

EarshotError
├── Transient      try again after `retry_after_ms`
├── Poison         this input can never be read: dead-letter it with `reason`, go on
├── Backpressure   no room now: pause the source, come back
└── Fatal          cannot work at all: log, exit non-zero
    └── SettingError   a setting is missing or wrong; names it

Adapters translate a vendor's exceptions into these, where it is known whether a retry can help. Texts hold
codes and names of settings, never what people said nor a token.
"""

from __future__ import annotations


class EarshotError(Exception):
    """Base of all errors that Earshot raises on purpose."""


class Transient(EarshotError):
    """Worth another try; `retry_after_ms` is the least time to wait."""

    def __init__(self, detail: str, *, retry_after_ms: int = 0) -> None:
        super().__init__(detail)
        self.retry_after_ms = retry_after_ms


class Poison(EarshotError):
    """Input that no retry makes readable.

    `reason` is a short snake_case code (a metric label and a dead-letter header); `detail` says where in the
    input, without its content.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Backpressure(EarshotError):
    """No room for more now; the source is paused and asked again."""


class Fatal(EarshotError):
    """The service cannot work; the outermost loop logs it and exits non-zero."""


class SettingError(Fatal):
    """A setting is missing or wrong; the text is one line that names it and says what is wanted."""
