"""An open recording: its legs, where they lie on the call's media clock, and when it is complete.

    first chunk ──► open ──► every leg ended and the call ended ──────────────► complete
                      │
                      ├──► the call ended, `grace_ms` without a chunk ─────────► complete
                      └──► `idle_ms` without a chunk ──────────────────────────► complete

Times called `*_s` are monotonic seconds given by the caller; `*_ms` lie on the call's media clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Role = Literal["agent", "customer", "mixed", "unknown"]
Layout = Literal["stereo", "mixed"]
BOTH_CHANNELS = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg's place in the recording. `gap_ms` is the audio known to be missing inside it."""

    leg_id: str
    role: Role = "unknown"
    start_ms: int = 0
    end_ms: int = 0
    gap_ms: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call that is being recorded."""

    call_id: str
    legs: dict[str, Leg] = field(default_factory=dict)
    call_ended: bool = False
    last_chunk_s: float = 0.0

    @property
    def duration_ms(self) -> int:
        """From zero of the media clock to the end of the longest leg."""
        return max((leg.end_ms for leg in self.legs.values()), default=0)

    @property
    def start_ms(self) -> int:
        """Where the first audio lies."""
        return min((leg.start_ms for leg in self.legs.values()), default=0)


def with_chunk(
    call: OpenCall, *, leg_id: str, role: Role, media_time_ms: int, duration_ms: int, gap_before_ms: int, end: bool,
    now_s: float,
) -> OpenCall:  # fmt: skip
    """The call with a chunk taken in. A chunk seen before changes nothing; a known role is never unlearned."""
    leg = call.legs.get(leg_id)
    end_ms = media_time_ms + duration_ms
    if leg is None:
        leg = Leg(leg_id=leg_id, role=role, start_ms=media_time_ms, end_ms=end_ms, ended=end)
    else:
        new = end_ms > leg.end_ms
        leg = replace(
            leg,
            role=role if role != "unknown" else leg.role,
            start_ms=min(leg.start_ms, media_time_ms),
            end_ms=max(leg.end_ms, end_ms),
            gap_ms=leg.gap_ms + (gap_before_ms if new else 0),
            ended=leg.ended or end,
        )
    return replace(call, legs={**call.legs, leg_id: leg}, last_chunk_s=now_s)


def is_complete(call: OpenCall, now_s: float, *, grace_ms: int, idle_ms: int) -> bool:
    """Whether the recording can be closed."""
    quiet_ms = (now_s - call.last_chunk_s) * 1000
    if quiet_ms >= idle_ms:
        return True
    return call.call_ended and (all(leg.ended for leg in call.legs.values()) or quiet_ms >= grace_ms)


def layout_of(legs: Iterable[Leg]) -> Layout:
    """Stereo as soon as one leg is known to be the agent's or the customer's alone."""
    return "stereo" if any(leg.role in {"agent", "customer"} for leg in legs) else "mixed"


def channels_of(leg: Leg, layout: Layout) -> tuple[int, ...]:
    """The channels that a leg is heard on: agent left, customer right; who is not known is on both."""
    if layout == "mixed":
        return (0,)
    return {"agent": (0,), "customer": (1,)}.get(leg.role, BOTH_CHANNELS)


def file_stem(call: OpenCall) -> str:
    """The recording's name without its ending; later parts of a call that was closed before carry their start."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in call.call_id)
    return safe if call.start_ms < 1_000 else f"{safe}+{call.start_ms}"
