"""Wiring: the one file that makes a simulator out of its parts."""

from __future__ import annotations

import random
import secrets
import uuid
from collections.abc import Callable

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from services.ringcentral_sim.calls.book import CallBook
from services.ringcentral_sim.calls.legs import Legs
from services.ringcentral_sim.clock import SystemClock
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.control import api as control
from services.ringcentral_sim.control import floor, media
from services.ringcentral_sim.domain.company import DESK_ID, Company, default_company
from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.faults import Counters, Faults
from services.ringcentral_sim.domain.pace import Pace
from services.ringcentral_sim.domain.ports import Clock, SipSide, WebhookPoster
from services.ringcentral_sim.domain.rate_limit import RateLimiter
from services.ringcentral_sim.domain.staffing import MONITORING, add_supervisors, join
from services.ringcentral_sim.domain.subscriptions import SubscriptionStore
from services.ringcentral_sim.domain.tokens import TokenStore
from services.ringcentral_sim.events.gateway import Gateway, GatewayLimits
from services.ringcentral_sim.events.publisher import Publisher
from services.ringcentral_sim.events.socket import serve_socket
from services.ringcentral_sim.events.webhook import HttpxPoster, Webhooks
from services.ringcentral_sim.fault_options import apply
from services.ringcentral_sim.paper import PaperSipSide
from services.ringcentral_sim.rest import call_log, directory, groups, oauth, subscriptions, telephony
from services.ringcentral_sim.rest.gate import worded
from services.ringcentral_sim.sip_bridge import SipBridge, accounts_of
from services.ringcentral_sim.sip_off import NoSip
from services.ringcentral_sim.tasks import Tasks
from services.ringcentral_sim.timed_faults import TimedFaults
from services.ringcentral_sim.world import World

log = structlog.get_logger()
# A request that comes so soon (of the client's seconds) after a first 429 was on its way before.
RATE_GRACE_S = 0.25


def new_id(prefix: str) -> str:
    """An opaque id; prefix `uuid` makes a bare UUID."""
    return str(uuid.uuid4()) if prefix == "uuid" else f"{prefix}-{secrets.token_hex(12)}"


def _session_ids() -> tuple[str, str]:
    return f"a{secrets.token_hex(5)}z{secrets.token_hex(2)}", str(529_000_000_000 + secrets.randbelow(10**9))


def _streams(seed: int) -> Callable[[str], float]:
    """An endless stream of draws for each name, the same for the same seed."""
    streams: dict[str, random.Random] = {}

    def draw(name: str) -> float:
        if name not in streams:
            streams[name] = random.Random(f"{seed}:{name}")
        return streams[name].random()

    return draw


def company_of(settings: SimulatorSettings) -> Company:
    """The seed company under these settings."""
    company = default_company(
        sip_domain=settings.sip_domain, supervisor_jwt=settings.jwt, more_agents=settings.more_agents
    )
    watchers = add_supervisors(company, settings.supervisors)
    join(company, DESK_ID, watchers, MONITORING)
    return company


def build_world(
    settings: SimulatorSettings,
    *,
    sip: SipSide,
    poster: WebhookPoster,
    clock: Clock,
    company: Company | None = None,
    session_ids: Callable[[], tuple[str, str]] = _session_ids,
) -> World:
    """All parts of a simulator, not yet listening; `company` None makes the seed company."""
    company = company or company_of(settings)
    counters, tasks, store = Counters(), Tasks(), SubscriptionStore()
    pace = Pace(settings.speed)
    faults = Faults(error_shape=settings.error_shape, draw=_streams(settings.seed))
    delays = random.Random(settings.seed)
    low_ms, high_ms = settings.event_delay_min_ms, settings.event_delay_max_ms
    publisher = Publisher(
        clock=clock,
        tasks=tasks,
        store=store,
        counters=counters,
        faults=faults,
        account_id=company.account_id,
        delay_s=lambda: delays.uniform(low_ms, high_ms) / 1000,
        new_uuid=lambda: str(secrets.randbelow(9 * 10**18) + 10**18),
    )
    book = CallBook(clock, publisher.publish, session_ids)
    publisher.calls_of = book.calls_of
    legs = Legs(
        sip=sip,
        book=book,
        company=company,
        faults=faults,
        counters=counters,
        clock=clock,
        tasks=tasks,
        invite_delay_s=settings.invite_delay_ms / 1000,
        max_legs_per_device=settings.max_legs_per_device,
    )
    gateway = Gateway(
        limits=GatewayLimits(
            buffer_size=settings.ws_recovery_buffer,
            recovery_s=settings.ws_recovery_timeout_s,
            idle_s=settings.ws_idle_timeout_s,
            absolute_s=settings.ws_absolute_timeout_s,
            pace=pace,
        ),
        clock=clock,
        store=store,
        counters=counters,
        faults=faults,
        new_id=new_id,
    )
    webhooks = Webhooks(
        poster=poster,
        clock=clock,
        tasks=tasks,
        counters=counters,
        blacklist_after_s=settings.webhook_blacklist_after_s,
        allow_http=settings.webhook_allow_http,
        token_header=settings.webhook_token_header,
    )
    publisher.transports = {"WebSocket": gateway, "WebHook": webhooks}
    tokens = TokenStore(
        new_id,
        issue_refresh_tokens=settings.issue_refresh_tokens,
        max_sessions=settings.max_sessions,
        access_ttl_s=settings.access_token_ttl_s,
    )
    return World(
        settings=settings,
        company=company,
        clock=clock,
        tasks=tasks,
        new_id=new_id,
        pace=pace,
        tokens=tokens,
        limiter=RateLimiter(
            {
                "light": settings.rate_light,
                "medium": settings.rate_medium,
                "heavy": settings.rate_heavy,
                "auth": settings.rate_auth,
            },
            penalty_s=settings.rate_penalty_s,
            grace_s=RATE_GRACE_S * settings.speed,
            pace=pace,
        ),
        faults=faults,
        counters=counters,
        subscriptions=store,
        book=book,
        legs=legs,
        gateway=gateway,
        webhooks=webhooks,
        timed_faults=TimedFaults(
            faults=faults, clock=clock, tasks=tasks, company=company, gateway=gateway, tokens=tokens
        ),
        sip=sip,
    )


async def start_world(world: World) -> None:
    """Bind the SIP side and begin with the configured faults. OSError when a port is taken."""
    world.sip_addresses = await world.sip.start()
    apply(world.settings.first_faults(), world.faults, world.clock.monotonic())
    world.timed_faults.ensure()


async def stop_world(world: World) -> None:
    """End the calls, release ports and connections."""
    await world.tasks.cancel()
    await world.sip.stop()
    await world.webhooks.close()


def build_app(world: World) -> Starlette:
    """The HTTP and WebSocket application of a started world."""

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = {404: "CMN-120", 405: "CMN-120"}.get(status, "CMN-203")
        message = "Internal server error" if status == 500 else f"Invalid URI [{request.method} {request.url.path}]"
        return worded(world, ApiError(status, code, message))

    async def socket(websocket: WebSocket) -> None:
        await serve_socket(websocket, world.gateway, app)

    tables = (oauth, directory, groups, telephony, call_log, subscriptions, control, floor)
    routes = [route for table in tables for route in table.routes(world)]
    app = Starlette(
        routes=[*routes, WebSocketRoute("/ws", socket), *media.websocket_routes(world)],
        exception_handlers={HTTPException: unknown, Exception: unknown},
    )
    return app


def build_simulator(settings: SimulatorSettings) -> tuple[World, Starlette]:
    """A simulator on the real clock, with the SIP side that the settings name."""
    clock, company = SystemClock(settings.speed), company_of(settings)
    poster = HttpxPoster(settings.webhook_timeout_s)
    if settings.media == "paper":
        paper = PaperSipSide(company, clock)
        world = build_world(settings, sip=paper, poster=poster, clock=clock, company=company)
        paper.on_registered = world.faults.reclaim
    else:
        sip: SipSide = SipBridge(accounts_of(company), settings) if settings.sip_enabled else NoSip()
        world = build_world(settings, sip=sip, poster=poster, clock=clock, company=company)
    return world, build_app(world)
