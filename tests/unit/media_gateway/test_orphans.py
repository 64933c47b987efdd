from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.records import MediaLeg
from services.contracts.topics import AUDIO_CHUNKS, MEDIA_LEGS
from services.media_gateway.adapters.orphans import OpenLegs

BEGAN = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def step(leg_id: str, kind: str, *, device: str = "d-1", after_s: int = -60) -> MediaLeg:
    at = BEGAN + timedelta(seconds=after_s)
    return MediaLeg(
        event_id=f"{leg_id}#{kind}", call_id="s-1", leg_id=leg_id, type=kind, at=at, device_id=device, role="agent",  # type: ignore[arg-type]
        epoch=BEGAN, media_time_ms=40,
    )  # fmt: skip


def test_only_own_legs_of_an_earlier_life_that_never_ended_are_ended() -> None:
    legs, publisher = OpenLegs(), FakePublisher()
    for taken in [
        step("left", "invited"), step("left", "up"), step("over", "up"), step("over", "down"),
        step("anothers", "up", device="d-2"), step("new", "up", after_s=1),
    ]:  # fmt: skip
        legs.take(taken)
    assert legs.close(publisher, {"d-1"}, before=BEGAN, now=BEGAN) == 1
    [down] = publisher.records(MEDIA_LEGS)
    assert (down.leg_id, down.type, down.reason, down.epoch) == ("left", "down", "gateway_died", BEGAN)
    [marker] = publisher.records(AUDIO_CHUNKS)
    assert (marker.leg_id, marker.end, marker.duration_ms, marker.role) == ("left", True, 0, "agent")
    assert legs.close(publisher, {"d-1"}, before=BEGAN, now=BEGAN) == 0
