"""How much of a call was heard, from the spans of its legs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.supervision_orchestrator.domain.call import CallState, Phase, Span
from services.supervision_orchestrator.domain.effects import Outcome, Reason, Role
from services.supervision_orchestrator.domain.policy import Policy, elapsed_ms

Interval = tuple[datetime, datetime]
FAILURES: dict[str, Reason] = {
    "refused": "refused",
    "no_capacity": "no_capacity",
    "no_device_online": "no_device_online",
    "rate_limited": "rate_limited",
    "not_permitted": "not_permitted",
    "another_group": "not_permitted",
    "policy": "not_permitted",
    "consent_missing": "consent_missing",
    "another_supervisor": "refused",
    "no_invite": "no_audio",
    "no_rtp": "no_audio",
    "leg_down": "no_audio",
}


EVENTS_MISSED = "events_missed"
"""An agent's part of the call was over when the first thing was heard of it: the company was not told in time."""

NOT_ASKED = "not_asked"
"""Nothing went wrong, but the call was over before anything was asked for: nobody of us was there in time."""


def outcome_of(state: CallState, ended_at: datetime, policy: Policy) -> Outcome:
    """The terminal account of a call that ended at `ended_at`."""
    if state.answered_at is None:
        return Outcome(reason="error", detail=EVENTS_MISSED) if state.unseen else Outcome(reason="not_answered")
    window = (state.answered_at, max(ended_at, state.answered_at))
    duration_ms = elapsed_ms(*window)
    spans = [*state.spans, *open_spans(state, window[1])]
    agent, customer, mixed = (_heard(spans, role, window) for role in ("agent", "customer", "mixed"))
    both = _union([*_intersection(agent, customer), *mixed])
    missing_ms = sum(span.gap_ms for span in spans)
    talk_ms = max(duration_ms - state.away_ms, 0)  # while no agent is on the call there is nothing to be missed
    gap_ms = min(max(talk_ms - _total_ms(both), 0) + missing_ms, talk_ms)
    heard: dict[Role, int] = {
        "agent": _less_gaps(agent, spans, "agent"),
        "customer": _less_gaps(customer, spans, "customer"),
        "mixed": _less_gaps(mixed, spans, "mixed"),
    }
    return Outcome(
        reason=_reason(state, heard, gap_ms, duration_ms, policy),
        duration_ms=duration_ms,
        agent_heard_ms=heard["agent"],
        customer_heard_ms=heard["customer"],
        mixed_heard_ms=heard["mixed"],
        gap_ms=gap_ms,
        detail=_detail(state, gap_ms, policy),
    )


def open_spans(state: CallState, until: datetime) -> list[Span]:
    """The spans of legs that are up, closed at `until`."""
    return [
        Span(role=target.role, start=leg.up_at, end=max(until, leg.up_at), gap_ms=leg.gap_ms)
        for target in state.targets
        for leg in target.legs
        if leg.up_at is not None
    ]


def _reason(state: CallState, heard: dict[Role, int], gap_ms: int, duration_ms: int, policy: Policy) -> Reason:
    if any(heard.values()):
        if gap_ms > policy.covered_gap_ms:
            return "partly_covered"
        return "mixed" if heard["mixed"] else "covered"
    failure = state.failure
    if failure is not None:
        return FAILURES.get(failure.reason, "error")
    if duration_ms < policy.too_short_ms:
        return "too_short"
    return "no_audio" if any(t.phase is not Phase.WANTED for t in state.targets) else "error"


def _detail(state: CallState, gap_ms: int, policy: Policy) -> str:
    if gap_ms <= policy.covered_gap_ms:
        return ""
    if state.failure is not None:
        return state.failure.detail or state.failure.reason
    return "" if state.targets else NOT_ASKED


def _heard(spans: Iterable[Span], role: str, window: Interval) -> list[Interval]:
    clipped = [(max(s.start, window[0]), min(s.end, window[1])) for s in spans if s.role == role]
    return _union(clipped)


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for start, end in sorted(i for i in intervals if i[0] < i[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _intersection(left: Iterable[Interval], right: list[Interval]) -> list[Interval]:
    return [(max(a[0], b[0]), min(a[1], b[1])) for a in left for b in right]


def _total_ms(intervals: Iterable[Interval]) -> int:
    return sum(elapsed_ms(*interval) for interval in intervals)


def _less_gaps(intervals: list[Interval], spans: Iterable[Span], role: str) -> int:
    return max(_total_ms(intervals) - sum(s.gap_ms for s in spans if s.role == role), 0)
