"""What an utterance costs in insights, without Kafka: reading, deciding, the row's way to bytes and back, records out.

CPU time of one core, over whole conversations played again and again as calls of their own; `with_rules` repeats it
with rule books of growing size, whose phrases are made of words that customers use.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis.records import encode
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import records
from services.insights.adapters.incoming import read_final
from services.insights.adapters.outgoing import publish_outputs
from services.insights.adapters.rows import decode_row, encode_row
from services.insights.adapters.rules_file import parse_rules
from services.insights.domain.decide import decide
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.rules import RuleBook
from tests.bench.assist.labelled_turns import labelled_turns
from tests.support.insights_call import CONVERSATIONS
from tests.support.insights_knowledge import sample_knowledge

ROUNDS = 5
BOOKS = (10, 100, 300, 1000)
PHRASES_A_RULE = 6


def measure() -> dict[str, Any]:
    """Medians over rounds, in microseconds of CPU an utterance."""
    finals = [_finals(path.stem) for path in sorted(CONVERSATIONS.glob("*.json"))]
    knowledge = sample_knowledge()
    standing = _cost_us(finals, knowledge)
    return {
        "utterances_a_round": sum(map(len, finals)),
        "cpu_us": standing,
        "utterances_a_second_and_core": round(1e6 / standing),
        "with_rules": {str(size): _cost_us(finals, replace(knowledge, book=_book(size))) for size in BOOKS},
        "matching_us": {str(size): _matching_us(_book(size)) for size in BOOKS},
    }


def _cost_us(calls: list[list[bytes]], knowledge: Knowledge) -> float:
    took = []
    for number in range(ROUNDS + 1):
        publisher = FakePublisher()
        started = time.process_time()
        for finals in calls:
            stored = b""
            for value in finals:
                call_id, event = read_final(value)
                now = datetime.now(UTC)
                row = decode_row(stored) if stored else None
                assert event is not None
                after, outputs = decide(row, event, now, call_id=call_id, knowledge=knowledge)
                publish_outputs(publisher, call_id, outputs, now)
                assert after is not None
                stored = encode_row(after)
        if number:  # the first warms up
            took.append((time.process_time() - started) * 1e6 / sum(map(len, calls)))
    return round(statistics.median(took), 1)


def _matching_us(book: RuleBook) -> float:
    """Rules alone, on the labelled turns."""
    texts = [turn.text for turn in labelled_turns()]
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for text in texts:
            book.spoken(text)
        took.append((time.process_time() - started) * 1e6 / len(texts))
    return round(statistics.median(took), 1)


def _book(size: int) -> RuleBook:
    """Rules of six phrases of two to three words, of the words of the labelled turns; the same ones each time."""
    order = random.Random(size)
    words = sorted({word for turn in labelled_turns() for word in turn.text.lower().split() if word.isalpha()})
    lines = ["rules:"]
    for number in range(size):
        phrases = [" ".join(order.sample(words, order.choice((2, 2, 3)))) for _ in range(PHRASES_A_RULE)]
        lines += [f"  r{number}:", "    category: c", f"    role: {order.choice(('agent', 'customer'))}",
                  f"    phrases: {json.dumps(phrases)}"]  # fmt: skip
        if number % 10 == 0:
            lines.append(f"    patterns: ['\\b{order.choice(words)} +\\d+\\b']")
    return parse_rules("\n".join(lines))


def _finals(name: str) -> list[bytes]:
    document = json.loads((CONVERSATIONS / f"{name}.json").read_text(encoding="utf-8"))
    now = datetime.now(UTC)
    found = []
    for turn, number in zip(sorted(document["turns"], key=lambda t: t["end_ms"]), itertools.count(), strict=False):
        leg_id = f"p-{turn['role']}~0000cafe"
        record = records.Utterance(
            call_id=f"s-{name}", leg_id=leg_id, role=turn["role"], utterance_id=f"{leg_id}@{turn['start_ms']}",
            revision=1, is_final=True, start_ms=turn["start_ms"], end_ms=turn["end_ms"], text=turn["text"],
            words=tuple(records.Word(**word) for word in turn["words"]),
            audio_start_utc=now + timedelta(seconds=number),
            engine=records.Engine(name="script", model="none"),
            timing=records.Timing(audio_end=now, decoded=now, published=now),
        )  # fmt: skip
        found.append(encode(record))
    return found
