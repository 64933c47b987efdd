"""The demo's verdict: what `result.json` holds, and what is not as it should be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.cli.domain.accuracy import edge_words_present, error_rates, swapped_speakers
from services.cli.domain.conversation import SPEAKERS, Conversation
from services.cli.domain.latency import percentiles, word_latencies_ms
from services.cli.domain.transcript import CallLog

MAX_WER = 0.15
MAX_LENGTH_ERROR = 0.01
AROUND_MS = 1_000
"""A call lasts a little longer than what is played in it: set-up before, hang-up after."""


def result_of(log: CallLog, conversation: Conversation, audio_started: datetime | None) -> dict[str, Any]:
    """The content of `result.json`. `audio_started`: when the simulator began to speak."""
    finals = log.finals()
    epoch = log.epoch()
    offset_ms = round((audio_started - epoch).total_seconds() * 1000) if audio_started and epoch else 0
    known = conversation.known
    latencies = (
        word_latencies_ms(log.heard, epoch=epoch, known=known, offset_ms=offset_ms)
        if epoch
        else {"partial": [], "final": []}
    )
    suggestions = sorted(log.suggestions.values(), key=lambda s: s.created_at)
    return {
        "call_id": log.call_id,
        "calls": 1,
        "legs": len([steps for steps in log.legs.values() if "up" in steps]),
        "segments": [
            {"role": u.role, "start_ms": u.start_ms, "end_ms": u.end_ms, "text": u.text, "utterance_id": u.utterance_id}
            for u in finals
        ],
        "suggestions": [
            {"text": s.text, "source": s.citations[0].source, "url": s.citations[0].url} for s in suggestions
        ],
        "wer": error_rates(known, finals) if known else None,
        "first_and_last_words": edge_words_present(known, finals) if known else None,
        "latency_ms": {kind: percentiles(values) for kind, values in latencies.items()},
        "recording": log.recording.uri if log.recording else None,
        "recording_ms": log.recording.duration_ms if log.recording else None,
        "conversation_ms": conversation.duration_ms,
        "audio": {
            "received_ms": sum(d.received_ms for d in log.downs()),
            "lost_ms": sum(d.lost_ms for d in log.downs()),
        },
        "speakers_swapped": swapped_speakers(known, finals, offset_ms) if known else _unknown_speakers(log),
        "outcome": log.ended.outcome.reason if log.ended and log.ended.outcome else None,
    }


def _unknown_speakers(log: CallLog) -> int:
    """Without known words: finals that carry no side although both sides were supervised apart."""
    return sum(u.role not in SPEAKERS for u in log.finals())


def problems_of(result: dict[str, Any], conversation: Conversation, log: CallLog) -> list[str]:
    """What is not as it should be, in words; empty when the demo succeeded."""
    problems = []
    if log.missing():
        problems.append(f"did not arrive: {', '.join(log.missing())}")
    if result["legs"] != 2:
        problems.append(f"{result['legs']} legs were heard, not 2")
    if result["audio"]["lost_ms"]:
        problems.append(f"{result['audio']['lost_ms']} ms of audio were lost")
    if result["speakers_swapped"]:
        problems.append(f"{result['speakers_swapped']} segments carry the wrong speaker")
    recorded, played = result["recording_ms"], conversation.duration_ms
    longest = played * (1 + MAX_LENGTH_ERROR) + AROUND_MS
    if recorded is None or not played * (1 - MAX_LENGTH_ERROR) <= recorded <= longest:
        problems.append(f"the recording is {recorded} ms long, the call {played} ms")
    if conversation.known is None:
        return problems
    for speaker, rate in result["wer"].items():
        if rate > MAX_WER:
            problems.append(f"word error rate of the {speaker} is {rate:.3f}, above {MAX_WER}")
    for speaker, edges in result["first_and_last_words"].items():
        problems += [f"the {speaker}'s {edge} word is missing" for edge, there in edges.items() if not there]
    if not result["suggestions"]:
        problems.append("no suggestion was made")
    return problems
