"""The labelled sequences of `tests/data/redaction`: read, played through a leg's redaction, scored.

A labelled piece is hidden where no word of it that says anything ("dash", "the" do not) is seen. A mark is right where
what it hides holds a labelled word, and it hides nothing else that says anything.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.transcriber.domain.cues import Ask
from services.transcriber.domain.digits import plain_word
from services.transcriber.domain.redaction import RedactionStream, SafeText, TimedWord

FOLDER = Path(__file__).parents[1] / "data/redaction"
TUNED, HELD_OUT = ("hard", "generated", "french"), ("held_out_hard", "held_out", "held_out_french")
TYPES = {
    "card": "payment_card",
    "ssn": "social_security",
    "tax": "tax_number",
    "bank": "bank_account",
    "iban": "iban",
    "phone": "phone",
    "email": "email",
    "dob": "date_of_birth",
}
PAUSE_MS = 100
"""Between utterances; remarks within a number stay shorter than the hold, past which it is given up."""
_SAYING_NOTHING = """uh um okay and then yeah dash the of at dot underscore for as in no sorry wait area code plus
    account sort are you with me yes it's double triple le et euh c'est arobase"""
_NOTHING = frozenset(_SAYING_NOTHING.split())
_PIECE = re.compile(r"\{(\w+)\|([^}]*)\}([.,?!]*)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word; ``piece`` numbers the labelled piece it is in, None outside."""

    text: str
    kind: str = ""
    piece: int | None = None

    @property
    def secret(self) -> bool:
        return self.piece is not None and plain_word(self.text) not in _NOTHING


@dataclass(frozen=True, slots=True)
class Turn:
    """An utterance of the leg, or what the other leg said."""

    words: tuple[Word, ...]
    other: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sequence."""

    id: str
    turns: tuple[Turn, ...]
    language: str = "en"


def load(names: Iterable[str]) -> list[Spoken]:
    """The sequences of some files."""
    return [
        Spoken(row["id"], _turns(row["say"]), "fr" if "french" in name else "en")
        for name in names
        for row in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    ]


def _turns(say: Sequence[str]) -> tuple[Turn, ...]:
    pieces = 0
    turns = []
    for text in say:
        words: list[Word] = []
        at = 0
        for match in _PIECE.finditer(text):
            words += [Word(w) for w in text[at : match.start()].split()]
            inside = match[2].split()
            inside[-1] += match[3]
            words += [Word(w, TYPES[match[1]], pieces) for w in inside]
            pieces, at = pieces + 1, match.end()
        words += [Word(w) for w in text[at:].removeprefix("> ").split()]
        turns.append(Turn(tuple(w for w in words if w.text != ">"), text.startswith("> ")))
    return tuple(turns)


@dataclass(slots=True)
class Score:
    """Counts over sequences, for finals and for partials."""

    pieces: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)
    typed: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    leaked_chars: int = 0
    words: int = 0
    words_hidden_wrongly: int = 0
    wrong: list[str] = field(default_factory=list)

    def recall(self, *kinds: str) -> float:
        """Labelled pieces hidden, of some kinds or of all."""
        of = kinds or tuple(self.pieces)
        return sum(self.hidden[k] for k in of) / max(1, sum(self.pieces[k] for k in of))

    def precision(self) -> float:
        """Marks that are right."""
        return self.right.total() / max(1, self.marks.total())


def play(
    sequence: Spoken, finals: Score, partials: Score, steps: Sequence[int] = (1,), misheard: str | None = None
) -> None:
    """Hear a sequence, a partial every so many words, and score what is seen of it.

    With ``misheard`` each partial is followed by one whose last word is heard as that.
    """
    leg: RedactionStream[int] = RedactionStream(language=sequence.language)
    other: RedactionStream[int] = RedactionStream(language=sequence.language)
    words: list[TimedWord] = []
    labels: list[Word] = []
    at_ms = 0
    asks: list[Ask] = []
    shown: dict[int, SafeText] = {}
    bounds: dict[int, tuple[int, int]] = {}
    seen_in_partials: set[int] = set()
    marks: set[tuple[str, int, int]] = set()
    step = 0
    for number, turn in enumerate(sequence.turns):
        timed = []
        for word in turn.words:
            timed.append(TimedWord(word.text, at_ms, at_ms + 200, 0.9))
            at_ms += 200
        if turn.other:
            other.final(number, timed)
            other.flush()
            asks += [other.question] if other.question is not None else []
            continue
        first = len(words)
        words += timed
        labels += turn.words
        bounds[number] = (first, len(words))
        known = 0
        while known < len(timed):
            known = min(len(timed), known + steps[step % len(steps)])
            step += 1
            safe = leg.partial(timed[:known], asks)
            if misheard is not None:
                wrong = leg.partial([*timed[: known - 1], replace(timed[known - 1], text=misheard)], asks)
                # What is wrong is not what was said.
                seen_in_partials |= _visible(wrong, words[first : first + known - 1], first)
            seen_in_partials |= _visible(safe, words[first:], first)
            marks |= {(r.secret.value, r.start_ms, r.end_ms) for r in safe.redactions}
        for subject, released in leg.final(number, timed, asks):
            shown[subject] = released
        asks.clear()
        at_ms += PAUSE_MS
        for subject, released in leg.settle(at_ms):
            shown[subject] = released
    for subject, released in leg.flush():
        shown[subject] = released
    assert sorted(shown) == sorted(bounds), "every final comes out once"
    seen: set[int] = set()
    final_marks: set[tuple[str, int, int]] = set()
    for number, safe in shown.items():
        first, stop = bounds[number]
        seen |= _visible(safe, words[first:stop], first)
        final_marks |= {(r.secret.value, r.start_ms, r.end_ms) for r in safe.redactions}
    _count(finals, sequence, words, labels, seen, final_marks)
    _count(partials, sequence, words, labels, seen_in_partials, marks)


def _visible(safe: SafeText, words: Sequence[TimedWord], first: int) -> set[int]:
    marked = {(r.start_ms, r.end_ms) for r in safe.redactions}
    starts = {w.start_ms for w in safe.words if (w.start_ms, w.end_ms) not in marked}
    return {first + i for i, word in enumerate(words) if word.start_ms in starts}


def _count(
    score: Score,
    sequence: Spoken,
    words: Sequence[TimedWord],
    labels: Sequence[Word],
    seen: set[int],
    marks: set[tuple[str, int, int]],
) -> None:
    types = {
        i: kind for kind, start, end in marks for i, w in enumerate(words) if start <= w.start_ms and w.end_ms <= end
    }
    pieces: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        if label.secret and label.piece is not None:
            pieces.setdefault(label.piece, []).append(index)
    for members in pieces.values():
        kind = labels[members[0]].kind
        score.pieces[kind] += 1
        leaked = [i for i in members if i in seen]
        score.hidden[kind] += not leaked
        score.typed[kind] += all(types.get(i) == kind for i in members)
        score.leaked_chars += sum(len(plain_word(labels[i].text)) for i in leaked)
        if leaked:
            score.wrong.append(f"{sequence.id} seen: {' '.join(labels[i].text for i in leaked)}")
    for kind, start, end in marks:
        inside = [i for i, w in enumerate(words) if start <= w.start_ms and w.end_ms <= end]
        stray = [i for i in inside if labels[i].piece is None and plain_word(labels[i].text) not in _NOTHING]
        holds = any(labels[i].piece is not None for i in inside)
        score.marks[kind] += 1
        score.right[kind] += holds and not stray
        score.words_hidden_wrongly += len(stray)
        if stray or not holds:
            score.wrong.append(f"{sequence.id} hidden as {kind}: {' '.join(labels[i].text for i in inside)}")
    score.words += len(words)
