from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.cli.domain.accuracy import edge_words_present, error_rates, swapped_speakers, word_error_rate
from services.cli.domain.conversation import KnownWords, known_words
from services.cli.domain.latency import percentiles, word_latencies_ms
from services.cli.domain.transcript import Heard
from services.contracts.records import Engine, Timing, Utterance, Word

EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def turn(role: str, start_ms: int, text: str, secret: str = "") -> dict[str, object]:
    words = [
        {"text": w, "start_ms": start_ms + 300 * i, "end_ms": start_ms + 300 * i + 250}
        for i, w in enumerate(text.split())
    ]
    entities = [{"type": "card", "text": secret}] if secret else []
    return {
        "role": role,
        "start_ms": start_ms,
        "end_ms": start_ms + 5000,
        "text": text,
        "words": words,
        "entities": entities,
    }


KNOWN: KnownWords = known_words(
    {
        "turns": [
            turn("agent", 0, "Thank you for calling goodbye"),
            turn("customer", 4000, "My card is four one one one please", "four one one one"),
        ]
    }
)


def utterance(role: str, start_ms: int, text: str, *, revision: int = 0, final: bool = True) -> Utterance:
    words = tuple(
        Word(text=w, start_ms=start_ms + 300 * i, end_ms=start_ms + 300 * i + 250) for i, w in enumerate(text.split())
    )
    at = EPOCH
    return Utterance(
        call_id="s-1", leg_id=role, utterance_id=f"{role}@{start_ms}", revision=revision, is_final=final, role=role,  # type: ignore[arg-type]
        start_ms=start_ms, end_ms=start_ms + 5000, text=text, words=words, engine=Engine(name="e", model="m"),
        timing=Timing(audio_end=at, decoded=at, published=at),
    )  # fmt: skip


def test_hiding_a_card_costs_nothing_and_showing_it_does() -> None:
    hidden = [utterance("customer", 4000, "My card is [payment card] please.")]
    shown = [utterance("customer", 4000, "My card is 4111 please.")]
    assert error_rates(KNOWN, hidden)["customer"] == 0.0
    assert error_rates(KNOWN, shown)["customer"] > 0.0
    assert error_rates(KNOWN, [])["agent"] == 1.0


def test_case_punctuation_and_digits_are_not_errors() -> None:
    assert word_error_rate("i have twenty one dollars", "I have $21.") == 0.0


def test_edge_words_are_looked_for_at_the_edges() -> None:
    finals = [utterance("agent", 0, "Thank you for calling."), utterance("customer", 4000, "My card is here please")]
    assert edge_words_present(KNOWN, finals) == {
        "agent": {"first": True, "last": False},
        "customer": {"first": True, "last": True},
    }


def test_a_segment_with_the_other_sides_words_counts_as_swapped() -> None:
    right = [utterance("agent", 0, "Thank you for calling"), utterance("customer", 4000, "My card is")]
    wrong = [utterance("customer", 0, "Thank you for calling"), utterance("agent", 4000, "My card is")]
    assert swapped_speakers(KNOWN, right, 0) == 0
    assert swapped_speakers(KNOWN, wrong, 0) == 2


def test_latency_runs_from_a_words_known_end_to_its_first_showing() -> None:
    def arrived(ms: int) -> datetime:
        return EPOCH + timedelta(milliseconds=ms)

    heard = [
        Heard(utterance=utterance("agent", 100, "Thank you", final=False), arrived=arrived(1550)),
        Heard(utterance=utterance("agent", 100, "Thank you for calling", revision=1), arrived=arrived(2150)),
    ]
    latencies = word_latencies_ms(heard, epoch=EPOCH, known=KNOWN, offset_ms=1000)
    # Known ends: 250, 550, 850, 1150 in the file, which begins 1000 ms after the epoch.
    assert latencies["partial"] == [300, 0, 300, 0]
    assert latencies["final"] == [900, 600, 300, 0]


def test_percentiles_of_nothing_are_not_numbers() -> None:
    assert percentiles([]) == {"p50": None, "p95": None}
    assert percentiles(list(range(101))) == {"p50": 50, "p95": 95}


@pytest.mark.parametrize("speaker", ["agent", "customer"])
def test_a_perfect_transcript_has_no_errors(speaker: str) -> None:
    finals = [utterance(speaker, 0, KNOWN.publishable[speaker])]  # type: ignore[index]
    assert error_rates(KNOWN, finals)[speaker] == 0.0  # type: ignore[index]
