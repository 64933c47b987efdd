"""Errors as the platform words them, in the three body shapes seen in the field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ErrorShape = Literal["errors", "both", "top"]


@dataclass(slots=True)
class ApiError(Exception):
    """A refused request: HTTP status, RingCentral code, message, and the parameter at fault if any."""

    status: int
    code: str
    message: str
    parameter: str | None = None
    value: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    oauth: str | None = None

    def body(self, shape: ErrorShape = "errors") -> dict[str, Any]:
        """JSON body in the chosen shape; the token endpoint adds OAuth's own `error`."""
        one: dict[str, Any] = {"errorCode": self.code, "message": self.message}
        if self.parameter is not None:
            one["parameterName"] = self.parameter
        if self.value is not None:
            one["parameterValue"] = self.value
        if self.oauth is not None:
            return {"error": self.oauth, "error_description": self.message, "errors": [one]}
        match shape:
            case "errors":
                return {"errors": [one]}
            case "top":
                return {"errorCode": self.code, "message": self.message}
            case "both":
                return {**one, "errors": [one]}


def not_found(parameter: str, value: str) -> ApiError:
    """404 CMN-102: the resource that a path or body parameter names does not exist."""
    return ApiError(404, "CMN-102", f"Resource for parameter [{parameter}] is not found", parameter, value)


def invalid(parameter: str, value: str, *, status: int = 400) -> ApiError:
    """CMN-101: a parameter's value is not acceptable."""
    return ApiError(status, "CMN-101", f"Parameter [{parameter}] value is invalid", parameter, value)


def not_allowed(why: str) -> ApiError:
    """403 TAS-106: call control refuses."""
    return ApiError(403, "TAS-106", f"Operation is not allowed [{why}]")


def wrong_state(why: str) -> ApiError:
    """409 TAS-102: the party or session is in another state than the operation needs."""
    return ApiError(409, "TAS-102", f"Incorrect State [{why}]")
