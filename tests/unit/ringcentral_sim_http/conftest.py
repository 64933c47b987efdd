"""A simulator without sockets: virtual clock, scripted SIP side, in-process HTTP client."""

from __future__ import annotations

import asyncio
import base64
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.ringcentral_sim.app import build_app, build_world, start_world, stop_world
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.ports import InviteRefused, SipAddresses
from services.ringcentral_sim.domain.subscriptions import Subscription, sort_filters
from services.ringcentral_sim.rest.oauth import JWT_GRANT

START = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
BASIC = base64.b64encode(b"sim-client-id:sim-client-secret").decode()


async def settle() -> None:
    """Let every ready task run."""
    for _ in range(60):
        await asyncio.sleep(0)


class VirtualClock:
    """Time that moves only in `advance`; the time of day also by `read_ms` each time it is read."""

    def __init__(self) -> None:
        self.read_ms = 0.0
        self._reads = itertools.count()
        self._time = 1000.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        late_ms = self.read_ms * next(self._reads)
        return START + timedelta(seconds=self._time - 1000.0, milliseconds=late_ms)

    def monotonic(self) -> float:
        return self._time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._time + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Wake the sleepers of the next seconds in order."""
        end = self._time + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._time = max(self._time, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._time = end
        await settle()


class ScriptedLeg:
    """A leg that latches at once unless told otherwise."""

    def __init__(self, call_id: str, latches: bool) -> None:
        self.call_id = call_id
        self.latches = latches
        self.played: tuple[Any, float] | None = None
        self.byes = 0
        self._over = asyncio.Event()

    async def latched(self, timeout_s: float) -> bool:
        return self.latches

    def play(self, source: Any, start_at: float) -> None:
        self.played = (source, start_at)

    async def bye(self) -> None:
        self.byes += 1
        self._over.set()

    def remote_bye(self) -> None:
        self._over.set()

    async def ended(self) -> str:
        await self._over.wait()
        return "bye"


class ScriptedSip:
    """Devices named in `registered` are there; `refuse` makes every INVITE fail with that status."""

    def __init__(self) -> None:
        self.registered = {"801000000001", "801000000002", "801000000003"}
        self.offers: list[Any] = []
        self.legs: list[ScriptedLeg] = []
        self.refuse: int | None = None
        self.latches = True

    async def start(self) -> SipAddresses:
        at = ("127.0.0.1", 5090)
        return SipAddresses(udp=at, tcp=at, tls=("127.0.0.1", 5096))

    async def stop(self) -> None:
        return None

    def is_registered(self, device_id: str) -> bool:
        return device_id in self.registered

    async def invite(self, offer: Any) -> ScriptedLeg:
        self.offers.append(offer)
        if self.refuse is not None:
            raise InviteRefused(self.refuse, "No")
        self.legs.append(ScriptedLeg(f"sip-{len(self.legs)}", self.latches))
        return self.legs[-1]


class ScriptedPoster:
    """Remembers posts; answers with `status` and, when `echo`, the validation token."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any, dict[str, str]]] = []
        self.status = 200
        self.echo = True

    async def post(self, address: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        self.posts.append((address, body, headers))
        token = headers.get("Validation-Token")
        return self.status, {"validation-token": token} if token and self.echo else {}

    async def close(self) -> None:
        return None


class Lab:
    """A simulator and what a test needs to drive it."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.sip, self.poster = VirtualClock(), ScriptedSip(), ScriptedPoster()
        self.world = build_world(SimulatorSettings(**settings), sip=self.sip, poster=self.poster, clock=self.clock)
        self.app = build_app(self.world)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://sim.example")

    async def start(self) -> None:
        await start_world(self.world)

    async def stop(self) -> None:
        await stop_world(self.world)
        await self.http.aclose()

    async def token(self, form: dict[str, Any]) -> httpx.Response:
        return await self.http.post("/restapi/oauth/token", data=form, headers={"Authorization": f"Basic {BASIC}"})

    async def login(self, jwt: str = "sim-jwt-supervisor") -> str:
        reply = await self.token({"grant_type": JWT_GRANT, "assertion": jwt})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    async def call(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.request(method, f"/restapi/v1.0{path}", json=body, headers=headers)

    async def dial(self, **body: Any) -> str:
        reply = await self.http.post("/sim/calls", json=body)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["telephonySessionId"])

    async def supervise(self, token: str, session: str, party: str | None, **change: Any) -> httpx.Response:
        path = f"/account/~/telephony/sessions/{session}"
        if party is not None:
            path += f"/parties/{party}"
        body = {"mode": "Listen", "supervisorDeviceId": "801000000001", "agentExtensionId": "700200301"}
        return await self.call("POST", f"{path}/supervise", token, body | change)

    async def view(self, session: str) -> dict[str, Any]:
        return dict((await self.http.get(f"/sim/calls/{session}")).json())

    def hear(self, *filters: str) -> list[dict[str, Any]]:
        """Every notification of a webhook subscription made without the handshake."""
        company = self.world.company
        served, _ = sort_filters(
            list(filters) or ["/restapi/v1.0/account/~/telephony/sessions"],
            account_id=company.account_id,
            own_id="700200300",
            extension_ids=frozenset(company.extensions),
            disabled=frozenset(),
        )
        address = f"https://hook.example/{len(self.world.subscriptions.items)}"
        now = self.clock.now()
        self.world.subscriptions.add(
            Subscription(
                id=address,
                owner_id="700200300",
                filters=served,
                disabled=(),
                transport="WebHook",
                created=now,
                lifetime_s=3600,
                expires=now + timedelta(hours=1),
                address=address,
            ),
            now,
        )
        heard: list[dict[str, Any]] = []
        real = self.poster.post

        async def post(to: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
            if to == address:
                heard.append(body)
            return await real(to, body, headers)

        self.poster.post = post  # type: ignore[method-assign]
        return heard


@pytest.fixture
async def make_lab():
    """Makes labs and stops them."""
    made: list[Lab] = []

    async def make(**settings: Any) -> Lab:
        lab = Lab(**settings)
        await lab.start()
        made.append(lab)
        return lab

    yield make
    for lab in made:
        await lab.stop()


@pytest.fixture
async def lab(make_lab):
    """A simulator with the default settings."""
    return await make_lab()
