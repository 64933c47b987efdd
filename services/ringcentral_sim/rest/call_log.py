"""The company's call log: calls that are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.call_log import call_log_record
from services.ringcentral_sim.domain.errors import invalid
from services.ringcentral_sim.domain.paging import page_of
from services.ringcentral_sim.rest.directory import account_url
from services.ringcentral_sim.rest.gate import ACCOUNT, Caller, guarded
from services.ringcentral_sim.world import World

DEFAULT_DAYS = 1


def routes(world: World) -> list[Route]:
    """One list."""
    return [guarded(world, "GET", ACCOUNT + "/call-log", "heavy", "ReadCompanyCallLog", _call_log)]


async def _call_log(world: World, request: Request, caller: Caller) -> Response:
    """Newest first, by the time of their start; a call comes in `call_log_lag_s` after its end."""
    query = dict(request.query_params)
    now = world.clock.now()
    begin = _time("dateFrom", query, now - timedelta(days=DEFAULT_DAYS))
    end = _time("dateTo", query, now)
    finished = world.book.finished(begin, end, lag_s=world.settings.call_log_lag_s / world.pace.speed)
    records = [
        call_log_record(
            session,
            world.book.changes(session.id),
            detailed=query.get("view") == "Detailed",
            speed=world.pace.speed,
        )
        for session in finished
    ]
    return JSONResponse(page_of(records, f"{account_url(world, request)}/call-log", query, totals=False))


def _time(name: str, query: dict[str, str], otherwise: datetime) -> datetime:
    text = query.get(name)
    if text is None:
        return otherwise
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid(name, text) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
