"""A call through insights' `decide`, its row stored and read back after each input, as the table would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.insights.adapters.rows import decode_row, encode_row
from services.insights.domain.call import CallRow
from services.insights.domain.decide import decide
from services.insights.domain.inputs import CallEnded, CallNoted, FeedbackGiven, Input, LegTranscribed, UtteranceSpoken
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Alerted, HandOn, Learned, Suggested, Summary, WriteRequest
from tests.support.insights_knowledge import sample_knowledge

CALL = "s-a0d7f1c2z19a"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CONVERSATIONS = Path(__file__).resolve().parents[1] / "data" / "conversations"
ENDED = CallEnded(
    agent_extension_id="700200301", direction="inbound", ended_at=NOW, outcome="covered", duration_ms=150_000,
    legs_heard=2,
)  # fmt: skip


class Call:
    """Feeds one call and keeps what comes out."""

    def __init__(self, knowledge: Knowledge | None = None) -> None:
        self.knowledge = knowledge or sample_knowledge()
        self.row: CallRow | None = None
        self.now = NOW
        self.suggested: list[Suggested] = []
        self.learned: list[Learned] = []
        self.alerted: list[Alerted] = []
        self.summaries: list[Summary] = []
        self.handed_on: list[HandOn] = []
        self.asked: list[WriteRequest] = []
        self.feedback: list[tuple[str, str, str]] = []

    def take(self, *events: Input) -> Call:
        for event in events:
            row, outputs = decide(self.row, event, self.now, call_id=CALL, knowledge=self.knowledge)
            self.row = decode_row(encode_row(row)) if row else None
            assert self.row == row
            self.suggested += outputs.suggested
            self.learned += outputs.learned
            self.alerted += outputs.alerted
            self.summaries += [outputs.summary] if outputs.summary else []
            self.handed_on += outputs.handed_on
            self.asked += outputs.asked
            self.feedback += outputs.feedback
        return self


def said(role: Any, text: str, start_ms: int = 1000, *, lasts_ms: int = 2000, leg: str = "") -> UtteranceSpoken:
    leg = leg or f"p-{role}~00"
    return UtteranceSpoken(
        leg_id=leg, utterance_id=f"{leg}@{start_ms}", role=role, start_ms=start_ms, from_ms=start_ms,
        to_ms=start_ms + lasts_ms, text=text, words=len(text.split()),
        published_at=NOW - timedelta(milliseconds=40),
    )  # fmt: skip


def noted(what: Any, after_ms: int = 0, *, peer: str = "") -> CallNoted:
    """A fact of the call's life, so long after NOW, which is the media clock's zero."""
    at = NOW + timedelta(milliseconds=after_ms)
    return CallNoted(agent_extension_id="700200301", direction="inbound", what=what, at=at, peer_call_id=peer)


def accepted(suggestion_id: str) -> FeedbackGiven:
    return FeedbackGiven(suggestion_id=suggestion_id, action="accepted")


def whole(role: Any, utterances: int) -> LegTranscribed:
    return LegTranscribed(leg_id=f"p-{role}~00", role=role, utterances=utterances, whole=True)


def conversation(name: str) -> list[UtteranceSpoken]:
    turns = json.loads((CONVERSATIONS / f"{name}.json").read_text())["turns"]
    return [
        said(turn["role"], turn["text"], turn["start_ms"], lasts_ms=turn["end_ms"] - turn["start_ms"])
        for turn in sorted(turns, key=lambda turn: turn["end_ms"])
    ]
