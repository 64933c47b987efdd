"""Errors as the platform words them, in the six body shapes that a client has to bear.

`errors` is documented; `both` repeats the error at top level, `top` is that alone; `oauth` is what the token endpoint
says; `html` is a load balancer's page, and `empty` has no body at all. `mixed` draws one of the six for each error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

PlainShape = Literal["errors", "both", "top", "oauth", "html", "empty"]
ErrorShape = Literal["errors", "both", "top", "oauth", "html", "empty", "mixed"]
PLAIN_SHAPES: tuple[PlainShape, ...] = get_args(PlainShape)


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

    def body(self, shape: PlainShape = "errors") -> dict[str, Any]:
        """JSON body in the chosen shape, that of `errors` where it has none.

        The token endpoint always adds OAuth's own `error`.
        """
        one: dict[str, Any] = {"errorCode": self.code, "message": self.message}
        if self.parameter is not None:
            one["parameterName"] = self.parameter
        if self.value is not None:
            one["parameterValue"] = self.value
        if self.oauth is not None or shape == "oauth":
            return {"error": self.oauth or "invalid_request", "error_description": self.message, "errors": [one]}
        match shape:
            case "errors" | "html" | "empty":
                return {"errors": [one]}
            case "top":
                return {"errorCode": self.code, "message": self.message}
            case "both":
                return {**one, "errors": [one]}

    def text(self) -> str:
        """The page of shape `html`."""
        return f"<html><head><title>{self.status}</title></head><body><h1>{self.status} Error</h1></body></html>"


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
