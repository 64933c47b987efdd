"""A call to play, and what is said in it where that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Speaker = Literal["agent", "customer"]
SPEAKERS: tuple[Speaker, ...] = ("agent", "customer")
HIDDEN_ENTITIES = frozenset({"card"})
"""Kinds of entity that the product must not publish; they are left out of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A known word; times in ms from the start of the file."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWords:
    """What each side says: all words with their times, and the text that a transcript should hold."""

    words: Mapping[Speaker, tuple[SpokenWord, ...]]
    publishable: Mapping[Speaker, str]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A stereo file (left agent, right customer) and its known words, if any."""

    path: str
    duration_ms: int
    known: KnownWords | None


def known_words(document: Mapping[str, Any]) -> KnownWords:
    """The known words in the JSON that lies beside a conversation of `tests/data`."""
    words: dict[Speaker, list[SpokenWord]] = {speaker: [] for speaker in SPEAKERS}
    texts: dict[Speaker, list[str]] = {speaker: [] for speaker in SPEAKERS}
    hidden: list[str] = []
    for turn in sorted(document["turns"], key=lambda turn: turn["start_ms"]):
        speaker: Speaker = turn["role"]
        words[speaker] += [
            SpokenWord(text=w["text"], start_ms=w["start_ms"], end_ms=w["end_ms"]) for w in turn["words"]
        ]
        secrets = [entity["text"] for entity in turn["entities"] if entity["type"] in HIDDEN_ENTITIES]
        texts[speaker].append(_without(turn["text"], secrets))
        hidden += secrets
    return KnownWords(
        words={speaker: tuple(found) for speaker, found in words.items()},
        publishable={speaker: " ".join(found) for speaker, found in texts.items()},
        hidden=tuple(hidden),
    )


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, " ")
    return " ".join(text.split())
