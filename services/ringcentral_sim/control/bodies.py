"""Request bodies of the control endpoints, and what is said when one is wrong."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Body = TypeVar("Body", bound=BaseModel)


async def parsed(request: Request, model: type[Body]) -> Body | Response:
    """The body as `model`, or the 400 that says in one line what is wrong."""
    try:
        return model.model_validate(json.loads(await request.body() or b"{}"))
    except ValidationError as error:
        first = error.errors()[0]
        return bad(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")
    except ValueError:
        return bad("the body is not JSON")


def bad(why: str, status: int = 400) -> Response:
    """A refusal in one line."""
    return JSONResponse({"error": why}, status_code=status)
