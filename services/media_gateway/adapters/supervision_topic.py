"""Follows `supervision.events` (what is expected) and reads back `media.legs` (epochs of calls that live on)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.chassis.consumer import Incoming
from services.chassis.publisher import Publisher
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_view import TopicView
from services.contracts.topics import MEDIA_LEGS, SUPERVISION_EVENTS
from services.media_gateway.adapters.orphans import OpenLegs
from services.media_gateway.domain.correlation import Step

NOT_NEEDED = frozenset({"superseded", "call_ended"})
"""Reasons of an end that leaves a leg standing: nobody needs it. After the call's end its BYE was lost."""
LOOK_BACK_MS = 10 * 60_000
LEGS_LOOK_BACK_MS = 12 * 3_600_000


def follow_supervision(settings: KafkaSettings, publisher: Publisher, on_step: Callable[[Step], None]) -> TopicView:
    """Return a view, not yet started, that calls `on_step` on its own thread."""

    def take(incoming: Incoming) -> None:
        event = decode(SUPERVISION_EVENTS, incoming.value)
        on_step(
            Step(
                type=event.type,
                call_id=event.call_id,
                mode=event.mode,
                party_id=event.party_id,
                role=event.role,
                device_id=event.device_id,
                supervisor_extension_id=event.supervisor_extension_id,
                supervisor_party_id=event.supervisor_party_id,
                recast=event.reason == "role_changed",
                superseded_leg_id=event.leg_id if event.reason in NOT_NEEDED else "",
                queue_id=event.queue_id,
                at_s=event.at.timestamp(),
            )
        )

    return TopicView(
        settings,
        topics=[SUPERVISION_EVENTS],
        on_record=take,
        publisher=publisher,
        since_ms=LOOK_BACK_MS,
        name="media-gateway-supervision",
    )


def follow_legs(settings: KafkaSettings, open_legs: OpenLegs, on_epoch: Callable[[str, datetime], None]) -> TopicView:
    """Return a view, not yet started, that tells `open_legs` each step and `on_epoch` every call's epoch."""

    def take(incoming: Incoming) -> None:
        leg = decode(MEDIA_LEGS, incoming.value)
        open_legs.take(leg)
        if leg.epoch is not None:
            on_epoch(leg.call_id, leg.epoch)

    return TopicView(
        settings,
        topics=[MEDIA_LEGS],
        on_record=take,
        since_ms=LEGS_LOOK_BACK_MS,
        name="media-gateway-legs",
    )
