"""What the gateway publishes about devices and legs, built from its own state."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from services.contracts.records import MediaDevice, MediaLeg
from services.media_gateway.domain.leg_stream import StreamCounts
from services.media_gateway.domain.session import Leg

LegStep = Literal["invited", "up", "gap", "down"]


def leg_record(
    leg: Leg, step: LegStep, number: int, *, at: datetime, epoch: datetime | None, counts: StreamCounts,
    media_time_ms: int = 0, gap_ms: int = 0, reason: str = "",
) -> MediaLeg:  # fmt: skip
    """Return step `number` of an identified leg's life."""
    identity = leg.identity
    assert identity is not None
    return MediaLeg(
        event_id=f"{leg.leg_id}#{number}",
        call_id=identity.call_id,
        leg_id=leg.leg_id,
        type=step,
        at=at,
        party_id=identity.party_id,
        role=identity.role,
        role_source=identity.role_source,
        device_id=leg.invite.device_id,
        supervisor_party_id=identity.supervisor_party_id,
        epoch=epoch,
        media_time_ms=media_time_ms,
        gap_ms=gap_ms,
        reason=reason,
        packets_received=counts.packets_received,
        packets_lost=counts.packets_lost,
        packets_late=counts.packets_late,
        packets_duplicate=counts.packets_duplicate,
        received_ms=counts.received_ms,
        lost_ms=counts.lost_ms,
    )


def device_record(
    device_id: str, extension_id: str, *, online: bool, slots: int, taken: int, at: datetime, reason: str
) -> MediaDevice:
    """Return the device's state; an offline one has no free slots."""
    return MediaDevice(
        device_id=device_id,
        supervisor_extension_id=extension_id,
        online=online,
        free_slots=max(0, slots - taken) if online else 0,
        slots=slots,
        updated_at=at,
        reason="" if online else reason,
    )
