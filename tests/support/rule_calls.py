"""The forty calls of `tests/data/assist/rule_calls.yaml` as records that insights would read, and what must alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from services.contracts import records

CALLS = Path(__file__).resolve().parents[1] / "data" / "assist" / "rule_calls.yaml"
WORD_MS = 350
ROLES = {"A": "agent", "C": "customer"}
Record = records.Utterance | records.CallLifecycle | records.TranscriptLeg


@dataclass(frozen=True, slots=True)
class RuleCall:
    """A call: its records in the order in which they would come, and the alerts as (rule, second)."""

    call_id: str
    records: tuple[Record, ...]
    alerts: tuple[tuple[str, float], ...]


def rule_calls(epoch: datetime) -> tuple[RuleCall, ...]:
    """All of them, answered at `epoch`."""
    document = yaml.safe_load(CALLS.read_text(encoding="utf-8"))
    return tuple(_call(f"s-rule{number:02}", entry, epoch) for number, entry in enumerate(document["calls"], 1))


def _call(call_id: str, entry: dict[str, Any], epoch: datetime) -> RuleCall:
    def at(second: float) -> datetime:
        return epoch + timedelta(seconds=second)

    timed: list[tuple[float, Record]] = [(0.0, _fact(call_id, "answered", epoch))]
    spoken: dict[str, int] = {}
    for line in entry["talk"]:
        who, second, text = line.split(" ", 2)
        if who == "H":
            timed += [(float(second), _fact(call_id, "held", at(float(second)))),
                      (float(text), _fact(call_id, "resumed", at(float(text))))]  # fmt: skip
            continue
        utterance = _utterance(call_id, ROLES[who], round(float(second) * 1000), text, epoch)
        spoken[utterance.leg_id] = spoken.get(utterance.leg_id, 0) + 1
        timed.append((utterance.end_ms / 1000, utterance))
    end = float(entry["length_s"])
    for role in ROLES.values():
        leg_id = _leg(role)
        leg = records.TranscriptLeg(
            call_id=call_id, leg_id=leg_id, role=role, status="complete", at=at(end), utterances=spoken.get(leg_id, 0)  # type: ignore[arg-type]
        )  # fmt: skip
        timed.append((end + 1, leg))
    outcome = records.CallOutcome(
        reason="covered", duration_ms=round(end * 1000), agent_heard_ms=1000, customer_heard_ms=1000
    )
    timed.append((end, _fact(call_id, "ended", at(end), outcome)))
    ordered = tuple(record for _, record in sorted(timed, key=lambda each: each[0]))
    wanted = tuple((rule, float(second)) for rule, _, second in (alert.partition("@") for alert in entry["alerts"]))
    return RuleCall(call_id, ordered, wanted)


def _utterance(call_id: str, role: str, start_ms: int, text: str, epoch: datetime) -> records.Utterance:
    words = tuple(
        records.Word(text=word, start_ms=start_ms + at * WORD_MS, end_ms=start_ms + (at + 1) * WORD_MS)
        for at, word in enumerate(text.split())
    )
    end_ms = words[-1].end_ms
    ended = epoch + timedelta(milliseconds=end_ms)
    return records.Utterance(
        call_id=call_id, leg_id=_leg(role), role=role, utterance_id=f"{_leg(role)}@{start_ms}", revision=1,  # type: ignore[arg-type]
        is_final=True, end_of_turn=True, start_ms=start_ms, end_ms=end_ms, text=text, words=words,
        audio_start_utc=epoch + timedelta(milliseconds=start_ms), engine=records.Engine(name="script", model="none"),
        timing=records.Timing(audio_end=ended, decoded=ended, published=ended),
    )  # fmt: skip


def _fact(call_id: str, type_: str, at: datetime, outcome: records.CallOutcome | None = None) -> records.CallLifecycle:
    return records.CallLifecycle(
        event_id=f"{call_id}/{type_}/{at.timestamp()}", call_id=call_id, type=type_, at=at, direction="inbound",  # type: ignore[arg-type]
        agent_extension_id="700200301", outcome=outcome,
    )  # fmt: skip


def _leg(role: str) -> str:
    return f"p-{role}~0000cafe"
