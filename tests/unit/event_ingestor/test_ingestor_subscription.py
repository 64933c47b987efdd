"""The shell around the connection's machine, with a scripted gateway in place of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import orjson
import pytest

from services.chassis.clock import SystemClock
from services.chassis.errors import Fatal
from services.chassis.health import Health
from services.chassis.publisher import Origin, Poison
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.gateway import Gateway, GatewaySocket, NotOpened
from services.event_ingestor.adapters.subscription import Subscription
from services.event_ingestor.domain.calls import KnownCalls
from services.event_ingestor.domain.dedupe import Seen

AGENTS = frozenset({"301", "302"})


class ScriptedSocket:
    """Greets, accepts every subscription, and says what the test puts in `lines` (None: closes)."""

    def __init__(self, disabled: list[dict[str, str]]) -> None:
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.disabled = disabled
        self.subscribed = 0
        self.say({"type": "ConnectionDetails", "status": 200, "wsc": {"token": "A", "sequence": 1}}, {})

    def say(self, *frame: object) -> None:
        self.lines.put_nowait(orjson.dumps(list(frame)).decode())

    async def frames(self) -> AsyncIterator[str]:
        while (line := await self.lines.get()) is not None:
            yield line

    async def subscribe(self, message_id: str, extensions: frozenset[str]) -> None:
        self.subscribed += 1
        reply = {"type": "ClientRequest", "messageId": message_id, "status": 200}
        self.say(reply, {"disabledFilters": self.disabled})

    async def close(self) -> None:
        self.lines.put_nowait(None)


class ScriptedGateway:
    """Hands out sockets; the first `failures` times none."""

    def __init__(self, *, failures: int = 0, disabled: list[dict[str, str]] | None = None) -> None:
        self.failures = failures
        self.disabled = disabled or []
        self.cursors: list[str] = []
        self.sockets: list[ScriptedSocket] = []
        self.holds: list[int] = []
        self.penalties: list[int] = []

    def held_ms(self) -> int:
        return self.holds.pop(0) if self.holds else 0

    def punished(self, retry_after_ms: int) -> None:
        self.penalties.append(retry_after_ms)

    async def open(self, wsc: str) -> GatewaySocket:
        self.cursors.append(wsc)
        if self.failures:
            self.failures -= 1
            raise NotOpened("socket: ConnectionRefusedError")
        self.sockets.append(ScriptedSocket(self.disabled))
        return cast(GatewaySocket, self.sockets[-1])


class Stage:
    """A running Subscription and all that it touches."""

    def __init__(self, gateway: ScriptedGateway, publisher: FakePublisher | None = None) -> None:
        self.gateway = gateway
        self.publisher = publisher or FakePublisher()
        self.health = Health()
        self.gaps = asyncio.Queue[None]()
        self.events = EventPublisher(
            self.publisher, calls=KnownCalls(), seen=Seen(), clock=FakeClock(), topic_prefix="t."
        )
        self.subscription = Subscription(
            cast(Gateway, gateway),
            self.events,
            on_gap=lambda: self.gaps.put_nowait(None),
            health=self.health,
            clock=SystemClock(),
            heartbeat_ms=30_000,
        )

    async def __aenter__(self) -> Stage:
        self.task = asyncio.create_task(self.subscription.run())
        await self.subscription.watch(AGENTS)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def problems(self) -> dict[str, str]:
        return self.health.report(readiness=True)[1]

    async def settled(self) -> None:
        """Everything said so far has been dealt with."""
        for _ in range(50):
            await asyncio.sleep(0)


def notification(uuid: str) -> dict[str, object]:
    party = {"id": "p-1-2", "extensionId": "301", "status": {"code": "Answered"}}
    return {"uuid": uuid, "event": "x", "timestamp": "", "body": {"telephonySessionId": "s-1", "parties": [party]}}


META = {"type": "ServerNotification", "messageId": "n"}


async def test_bad_frames_and_bad_notifications_are_dead_lettered_and_the_stream_goes_on():
    async with Stage(ScriptedGateway()) as stage:
        await stage.gaps.get()
        assert stage.problems() == {}
        socket = stage.gateway.sockets[0]
        socket.lines.put_nowait("no frame at all")
        socket.say(META, {"uuid": "u0"})
        socket.say(META, notification("u1"))
        socket.say(META, notification("u1"))
        socket.say(META, notification("u2"))
        await stage.settled()
    assert [poison.reason for _, poison in stage.publisher.dead_letters] == ["bad_frame", "bad_record"]
    assert stage.publisher.dead_letters[0][0].value == b"no frame at all"
    assert [message.event_id for message in stage.publisher.messages] == ["u1", "u2"]


async def test_during_a_penalty_no_subscription_is_asked_for_and_a_new_one_is_told_of():
    gateway = ScriptedGateway()
    gateway.holds = [60_000]
    async with Stage(gateway) as stage:
        await stage.settled()
        assert stage.problems() == {"websocket": "subscription refused: 429"}
        assert (stage.gateway.sockets[0].subscribed, gateway.penalties) == (0, [])
        refused = {"type": "ClientRequest", "messageId": "m1", "status": 429, "headers": {"Retry-After": "7"}}
        stage.gateway.sockets[0].say(refused, {})
        await stage.settled()
    assert gateway.penalties == [7_000]


async def test_a_lost_socket_is_recovered_and_health_says_so_meanwhile():
    async with Stage(ScriptedGateway()) as stage:
        await stage.gaps.get()
        await stage.gateway.sockets[0].close()
        await stage.settled()
        assert stage.gateway.cursors == ["", "A"]
        await stage.gaps.get()
        await stage.settled()
        assert stage.problems() == {}


async def test_without_a_gateway_the_service_is_not_ready():
    async with Stage(ScriptedGateway(failures=100)) as stage:
        await stage.settled()
        assert stage.problems() == {"websocket": "cannot connect"}


async def test_disabled_filters_make_it_unready_with_the_reason():
    disabled = [{"filter": "/restapi/v1.0/account/7/extension/302/telephony/sessions", "reason": "SUB-412"}]
    async with Stage(ScriptedGateway(disabled=disabled)) as stage:
        await stage.gaps.get()
        await stage.settled()
        assert stage.problems() == {"filters": "1 extensions are not delivered: SUB-412"}


class FullOfDeadLetters(FakePublisher):
    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        raise Fatal("more than DEAD_LETTER_LIMIT")


async def test_too_many_dead_letters_end_the_service():
    async with Stage(ScriptedGateway(), FullOfDeadLetters()) as stage:
        await stage.gaps.get()
        stage.gateway.sockets[0].lines.put_nowait("no frame")
        with pytest.raises(Fatal):
            await asyncio.wait_for(stage.task, 5)


@pytest.mark.parametrize("turns", range(8))
async def test_being_stopped_just_as_something_happens_ends_it(turns: int):
    async with Stage(ScriptedGateway()) as stage:
        await stage.gaps.get()
        await stage.settled()
        await stage.subscription.watch(AGENTS | {"303"})
        for _ in range(turns):
            await asyncio.sleep(0)
        stage.task.cancel()
        ended, _ = await asyncio.wait([stage.task], timeout=5)
        assert ended
        assert stage.task.cancelled()
