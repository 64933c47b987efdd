"""What RingCentral said when it did not do what was asked, without anything secret or personal.

Error bodies come in three shapes: `{"errors":[{"errorCode","message","parameterName"}]}`, the same repeated at top
level (`{"errorCode","message"}`, sometimes alone), and OAuth's `{"error","errors":[...]}`. Only codes and
parameter names are kept: messages may echo numbers, names and tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.chassis.errors import EarshotError

NO_REPLY = 0
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RingCentralRefused(EarshotError):
    """A request that got no 2xx.

    `request` is its method and route without ids ("GET /account/{}/extension"), "login" for a login held back;
    `status` the HTTP status, 0 when no reply came; `error_code` such as "CMN-101", "" when none was told;
    `parameter` the name of the parameter RingCentral found wrong; `retry_after_ms` the least time to wait before
    the next try (0: the caller's own backoff); `retryable` whether a later try of the same request can succeed.
    """

    def __init__(
        self, status: int, error_code: str = "", *, retry_after_ms: int = 0, request: str = "", parameter: str = ""
    ) -> None:
        told = " ".join(part for part in (error_code, parameter) if part)
        super().__init__(f"{request or 'request'}: {status or 'no reply'}{f' {told}' if told else ''}")
        self.request = request
        self.status = status
        self.error_code = error_code
        self.parameter = parameter
        self.retry_after_ms = retry_after_ms
        self.retryable = status in (NO_REPLY, 408, 429) or status >= 500


def read_error(body: Any) -> tuple[str, str]:
    """(error code, parameter name) of a decoded error body; "" for what it does not tell."""
    if not isinstance(body, Mapping):
        return "", ""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
    code = _plain(first.get("errorCode")) or _plain(body.get("errorCode")) or _plain(body.get("error"))
    parameter = _plain(first.get("parameterName")) or _plain(body.get("parameterName"))
    return code, parameter


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""
