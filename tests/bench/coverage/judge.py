"""The figures: what the simulator knows of each call, held against what the product said of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.contracts.records import CallLifecycle

SETTLED_S = 30.0
NAMED_AT_MOST = 20
Truth = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A time, in the day's seconds, in which something beside the simulator's faults struck everybody."""

    what: str
    from_s: float
    until_s: float


def lived_after_s(call: Truth, others: Sequence[Disturbance]) -> float:
    """How long the call went on after the last fault that struck it, kills included; in the day's seconds."""
    ended_s, answered = call["endedS"], [agent["answeredS"] for agent in call["agents"]]
    lived = float(call["livedAfterLastFaultS"])
    if ended_s is None or not answered:
        return lived
    hit = [d.until_s for d in others if d.from_s <= ended_s and d.until_s >= min(answered)]
    return min([lived, *(max(ended_s - until_s, 0.0) for until_s in hit)])


def judge(
    truth: Sequence[Truth],
    lifecycle: Iterable[CallLifecycle],
    progress: Mapping[str, Any],
    *,
    speed: float,
    disturbances: Sequence[Disturbance] = (),
) -> dict[str, Any]:
    """All figures of one run."""
    ends: dict[str, Counter[str]] = {}
    said: dict[str, str] = {}
    for record in lifecycle:
        if record.type == "ended" and record.outcome is not None:
            ends.setdefault(record.call_id, Counter())[record.event_id] += 1
            said[record.call_id] = f"{record.outcome.reason}/{record.outcome.detail}".rstrip("/")
    eligible = [c for c in truth if c["eligible"]]
    supervisable = [c for c in eligible if c["supervisable"]]
    settled = [c for c in supervisable if lived_after_s(c, disturbances) >= SETTLED_S]
    first = sorted(c["firstAudioS"] for c in supervisable if c["firstAudioS"] is not None)
    classes = {
        "not_covered": [c for c in supervisable if c["covered"] == "none"],
        "partly_covered": [c for c in supervisable if c["covered"] == "partly"],
        "settled_not_covered": [c for c in settled if c["covered"] != "both"],
        "no_terminal_record": [c for c in eligible if c["telephonySessionId"] not in ends],
        "several_terminal_records": [c for c in eligible if len(ends.get(c["telephonySessionId"], ())) > 1],
        "supervised_twice": [c for c in truth if c["doubleSupervised"]],
        "outside_groups": [c for c in truth if c["outsideGroups"]],
        "dropped": [c for c in truth if c["dropped"]],
        "said_not_answered": [c for c in eligible if said.get(c["telephonySessionId"]) == "not_answered"],
    }
    covered_settled = len(settled) - len(classes["settled_not_covered"])
    return {
        "calls": progress["planned"],
        "sessions": len(truth),
        "eligible": len(eligible),
        "supervisable": len(supervisable),
        "covered_both": sum(c["covered"] == "both" for c in supervisable),
        "covered_partly": len(classes["partly_covered"]),
        "covered_both_share": share(sum(c["covered"] == "both" for c in supervisable), len(supervisable)),
        "settled": len(settled),
        "settled_covered_both": covered_settled,
        "settled_covered_both_share": share(covered_settled, len(settled)),
        "terminal_records": sum(len(ends.get(c["telephonySessionId"], ())) for c in eligible),
        "no_terminal_record": len(classes["no_terminal_record"]),
        "several_terminal_records": len(classes["several_terminal_records"]),
        "terminal_records_repeated": sum(n - 1 for of in ends.values() for n in of.values()),
        "said_not_answered": len(classes["said_not_answered"]),
        "double_supervised": sum(c["doubleSupervised"] for c in truth),
        "outside_groups": sum(c["outsideGroups"] for c in truth),
        "dropped": sum(bool(c["dropped"]) for c in truth),
        "rate_limit_violations": progress["rateLimitViolations"],
        "time_to_first_audio_ms": {
            "p50": _percentile_ms(first, 0.5),
            "p95": _percentile_ms(first, 0.95),
            "clock": "the day's; divide by speed for the machine's",
        },
        "heard_share": share(sum(c["bothHeardS"] for c in supervisable), sum(c["talkS"] for c in supervisable)),
        "injected": progress["injected"],
        "reasons": dict(Counter(said.get(c["telephonySessionId"], "-") for c in eligible).most_common()),
        "failures": {
            name: [_shown(c, said, disturbances) for c in calls[:NAMED_AT_MOST]]
            for name, calls in classes.items()
            if calls
        },
        "speed": speed,
    }


def share(part: float, whole: float) -> float:
    """0 to 1, in ten-thousandths; 1 of nothing."""
    return int(part / whole * 10_000) / 10_000 if whole else 1.0


def _percentile_ms(ordered: Sequence[float], at: float) -> int | None:
    return round(ordered[min(int(len(ordered) * at), len(ordered) - 1)] * 1000) if ordered else None


def _shown(call: Truth, said: Mapping[str, str], disturbances: Sequence[Disturbance]) -> dict[str, Any]:
    session = call["telephonySessionId"]
    return {
        "call_id": session,
        "flow": call["flow"],
        "line": call["line"],
        "answered_s": [agent["answeredS"] for agent in call["agents"]],
        "ended_s": call["endedS"],
        "talk_s": call["talkS"],
        "covered": call["covered"],
        "said": said.get(session, "-"),
        "requests": len(call["supervised"]),
        "refusals": call["refusals"],
        "lived_after_last_fault_s": round(lived_after_s(call, disturbances), 1),
        "faults": [fault["kind"] for fault in call["faults"]],
    }
