"""Webhooks: what is answered, and how their subscriptions are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
import pytest

from services.chassis.errors import Fatal, Poison, SettingError
from services.chassis.health import Health
from services.chassis.publisher import Origin
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.settings import load
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import TELEPHONY_EVENTS
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.webhook_server import webhook_app
from services.event_ingestor.adapters.webhook_subscriptions import SUBSCRIPTIONS, WebhookSubscriptions
from services.event_ingestor.config import EventIngestorSettings
from services.event_ingestor.domain.calls import KnownCalls
from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.filters import session_filter
from services.event_ingestor.domain.webhook import Answer, Hook, Step, judge, next_step, read_hook

SECRET = "a-verification-token"
EXAMPLE = Path(__file__).parents[3] / "schemas" / "examples" / "telephony-event.json"
EVENT = orjson.dumps(orjson.loads(EXAMPLE.read_bytes())["notification"])
URL = "https://earshot.example.com/hooks"
AGENTS = frozenset({"301", "302"})
NOW = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "body", "answer"),
    [
        ({"validation-token": "v"}, b"", Answer.HANDSHAKE),
        ({"validation-token": "v" * 600}, b"", Answer.BAD_REQUEST),
        ({"verification-token": SECRET}, b"{}", Answer.NOTIFICATION),
        ({"validation-token": SECRET}, b"{}", Answer.NOTIFICATION),
        ({"verification-token": "guess"}, b"{}", Answer.WRONG_TOKEN),
        ({"verification-token": SECRET + "x"}, b"{}", Answer.WRONG_TOKEN),
        ({"validation-token": "v"}, b"{}", Answer.WRONG_TOKEN),
        ({}, b"{}", Answer.WRONG_TOKEN),
        ({}, b"", Answer.WRONG_TOKEN),
        ({"verification-token": SECRET}, b"", Answer.BAD_REQUEST),
        ({"verification-token": SECRET}, b" " * 10 + b"x" * 300_000, Answer.BAD_REQUEST),
    ],
)
def test_what_a_request_is(headers: Mapping[str, str], body: bytes, answer: Answer):
    assert judge(headers, body, SECRET) is answer


def hook(**changes: Any) -> Hook:
    base: dict[str, Any] = {
        "subscription_id": "1", "address": URL, "active": True, "lifetime_ms": 1000, "expires_at_ms": 2000,
        "extensions": AGENTS,
    }  # fmt: skip
    return Hook(**(base | changes))


@pytest.mark.parametrize(
    ("held", "found", "now_ms", "step"),
    [
        (None, None, 1000, Step.CREATE),
        (hook(), None, 1000, Step.REMAKE),
        (hook(), hook(active=False), 1000, Step.REMAKE),
        (hook(), hook(), 1000, Step.KEEP),
        (hook(), hook(), 1500, Step.RENEW),
        (hook(), hook(), 2500, Step.RENEW),
        (hook(extensions=frozenset({"301"})), hook(), 1000, Step.REPLACE),
        (hook(unserved=(("301", "SUB-412"),)), hook(), 1000, Step.KEEP),
        (hook(unserved=(("301", "SUB-412"),)), hook(expires_at_ms=10**9), 700_000, Step.REPLACE),
    ],
)
def test_the_next_step(held: Hook | None, found: Hook | None, now_ms: int, step: Step):
    assert next_step(held, found, AGENTS, now_ms) is step


def test_a_subscription_as_ringcentral_describes_it():
    body = {
        "id": "1", "status": "Blacklisted", "expirationTime": "2026-03-02T15:05:05.000Z",
        "eventFilters": ["/restapi/v1.0/account/7/extension/301/telephony/sessions"],
        "disabledFilters": [{"filter": session_filter("302"), "reason": "SUB-412"}],
        "deliveryMode": {"transportType": "WebHook", "address": URL},
    }  # fmt: skip
    read = read_hook(body, 5000, NOW, wanted=AGENTS)
    assert read is not None
    assert (read.active, read.expires_at_ms, read.unserved) == (False, 65_000, (("302", "SUB-412"),))
    assert read_hook({"id": "2", "deliveryMode": {"transportType": "WebSocket"}}, 0, NOW) is None
    counted = read_hook(body | {"expiresIn": 7}, 0, NOW)
    assert counted is not None
    assert counted.lifetime_ms == 7000


class Platform:
    """RingCentral's subscriptions, kept in memory."""

    def __init__(self, *, most: int = 1000) -> None:
        self.most = most
        self.made: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.refusals: list[RingCentralRefused] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.asked.append(f"GET {path}")
        if path == SUBSCRIPTIONS:
            return {"records": list(self.made.values())}
        return self._one(path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(f"POST {path}")
        if self.refusals:
            raise self.refusals.pop(0)
        if path.endswith("/renew"):
            return self._one(path.removesuffix("/renew"))
        assert body is not None
        subscription_id = str(len(self.made) + 1 + sum("DELETE" in asked for asked in self.asked))
        self.made[subscription_id] = {"id": subscription_id, "status": "Active", "expiresIn": body["expiresIn"]}
        return self._fill(self.made[subscription_id], body)

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(f"PUT {path}")
        assert body is not None
        return self._fill(self._one(path), body)

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.asked.append(f"DELETE {path}")
        self.made.pop(self._one(path)["id"])
        return {}

    def _fill(self, one: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        if len(body["eventFilters"]) > self.most:
            del self.made[one["id"]]
            raise RingCentralRefused(400, "CMN-101", parameter="eventFilters")
        one |= {"eventFilters": body["eventFilters"], "deliveryMode": body["deliveryMode"]}
        return one

    def _one(self, path: str) -> dict[str, Any]:
        found = self.made.get(path.rsplit("/", 1)[1])
        if found is None:
            raise RingCentralRefused(404, "SUB-507")
        return found


@asynccontextmanager
async def keeping(platform: Platform, *, extensions: frozenset[str] = AGENTS, check_ms: int = 5, most: int = 500):
    """Subscriptions that are looked after; yields them and the readings that were asked for."""
    gaps: asyncio.Queue[None] = asyncio.Queue()
    kept = WebhookSubscriptions(
        cast(RingCentralClient, platform), url=URL, secret=SECRET, lifetime_s=1000, check_ms=check_ms, most=most,
        on_gap=lambda: gaps.put_nowait(None), health=Health(), clock=FakeClock(),
    )  # fmt: skip
    await kept.watch(extensions)
    task = asyncio.create_task(kept.run())
    try:
        async with asyncio.timeout(20):
            yield kept, gaps
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("still waiting")


def covered(platform: Platform) -> list[set[str]]:
    return [{text.split("/")[-3] for text in one["eventFilters"]} for one in platform.made.values()]


async def test_one_that_is_gone_or_suspended_is_made_anew_and_the_gap_is_read():
    platform = Platform()
    async with keeping(platform) as (kept, gaps):
        await gaps.get()
        assert (covered(platform), kept.watched) == ([AGENTS], AGENTS)
        assert platform.made["1"]["deliveryMode"]["verificationToken"] == SECRET
        platform.made.clear()
        await gaps.get()
        [again] = platform.made.values()
        again["status"] = "Blacklisted"
        await gaps.get()
        assert [one["status"] for one in platform.made.values()] == ["Active"]
    assert sum(asked.startswith("DELETE") for asked in platform.asked) == 1


async def test_what_an_earlier_process_left_is_taken_over_and_the_rest_cleared_away():
    platform = Platform()
    for address in (URL, URL, "https://other.example.com"):
        delivery = {"transportType": "WebHook", "address": address}
        platform.post(SUBSCRIPTIONS, {"eventFilters": ["/x"], "deliveryMode": delivery, "expiresIn": 9})
    async with keeping(platform) as (_, gaps):
        await gaps.get()
    assert sorted(platform.made) == ["1", "3"]
    assert platform.made["1"]["deliveryMode"] == {
        "transportType": "WebHook", "address": URL, "verificationToken": SECRET
    }  # fmt: skip


async def test_a_changed_roster_replaces_the_filters_and_an_empty_one_deletes():
    platform = Platform()
    async with keeping(platform, check_ms=60_000) as (kept, gaps):
        await gaps.get()
        await kept.watch(frozenset({"301", "303"}))
        await gaps.get()
        assert covered(platform) == [{"301", "303"}]
        await kept.watch(frozenset())
        await until(lambda: not platform.made)
        assert not kept.live
    assert platform.asked.count(f"PUT {SUBSCRIPTIONS}/1") == 1


async def test_more_filters_than_one_takes_are_spread():
    platform = Platform(most=3)
    agents = frozenset(str(300 + n) for n in range(8))
    async with keeping(platform, extensions=agents) as (kept, _):
        await until(lambda: kept.live)
    found = covered(platform)
    assert set().union(*found) == agents
    assert sum(len(one) for one in found) == len(agents)
    assert max(len(one) for one in found) <= 3


async def test_an_address_that_cannot_be_reached_is_told_with_the_setting_to_change():
    platform = Platform()
    platform.refusals.append(RingCentralRefused(400, "SUB-521"))
    health = Health()
    kept = WebhookSubscriptions(
        cast(RingCentralClient, platform), url=URL, secret=SECRET, lifetime_s=1000, check_ms=5, most=500,
        on_gap=lambda: None, health=health, clock=FakeClock(),
    )  # fmt: skip
    await kept.watch(AGENTS)
    task = asyncio.create_task(kept.run())
    async with asyncio.timeout(20):
        await until(lambda: "EVENT_INGESTOR_WEBHOOK_URL" in health.report(readiness=True)[1].get("webhook", ""))
    task.cancel()
    assert not kept.live


def test_the_mode_asks_for_what_it_needs():
    given = {"RINGCENTRAL_CLIENT_ID": "a", "RINGCENTRAL_CLIENT_SECRET": "b", "RINGCENTRAL_JWT": "c"}
    assert load(EventIngestorSettings, given).mode == "websocket"
    with pytest.raises(SettingError) as refused:
        load(EventIngestorSettings, given | {"EVENT_INGESTOR_MODE": "webhook"})
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "EVENT_INGESTOR_WEBHOOK_URL", "EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN",
    ]  # fmt: skip


class Full(FakePublisher):
    """Dead letters past the limit."""

    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        raise Fatal("more than DEAD_LETTER_LIMIT")


def endpoint(publisher: FakePublisher, failed: list[Fatal]) -> httpx.AsyncClient:
    """A client of the endpoint, without sockets."""
    events = EventPublisher(publisher, calls=KnownCalls(), seen=Seen(), clock=FakeClock(), topic_prefix="t.")
    app = webhook_app(events, path="/hooks", secret=SECRET, on_fatal=failed.append)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://earshot.example")


async def test_the_handshake_is_answered_in_few_bytes():
    async with endpoint(FakePublisher(), []) as client:
        reply = await client.post("/hooks", headers={"Validation-Token": "v-1"})
        assert (reply.status_code, reply.headers["validation-token"], reply.content) == (200, "v-1", b"")
        assert "content-type" in reply.headers
        assert (await client.post("/elsewhere", headers={"Validation-Token": "v-1"})).status_code == 404


async def test_notifications_are_published_once_and_refused_without_the_token():
    publisher = FakePublisher()
    async with endpoint(publisher, []) as client:
        for token, status in ((SECRET, 200), (SECRET, 200), ("guess", 401)):
            reply = await client.post("/hooks", content=EVENT, headers={"Verification-Token": token})
            assert reply.status_code == status
        assert (await client.post("/hooks", content=b"x" * 300_000)).status_code == 413
    [record] = publisher.records(TELEPHONY_EVENTS)
    assert (record.source, record.event_id) == ("webhook", orjson.loads(EVENT)["uuid"])
    assert publisher.dead_letters == []


async def test_what_cannot_be_read_is_dead_lettered_and_too_much_of_it_ends_the_service():
    publisher, failed = FakePublisher(), []
    async with endpoint(publisher, failed) as client:
        reply = await client.post("/hooks", content=b"{no", headers={"Verification-Token": SECRET})
    assert (reply.status_code, [origin.value for origin, _ in publisher.dead_letters], failed) == (200, [b"{no"], [])
    async with endpoint(Full(), failed) as client:
        reply = await client.post("/hooks", content=b"{no", headers={"Verification-Token": SECRET})
    assert (reply.status_code, len(failed)) == (503, 1)
