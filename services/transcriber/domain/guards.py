"""Guards against what Whisper invents: loops, runaway decodes, and thanks nobody said.

Limits were measured on telephone speech with tiny.en: people say at most 8 to 9 tokens a second plus a dozen for
short utterances, and real speech never decodes to fewer than 0.8 tokens a second.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

MAX_TOKENS_PER_S = 9.0
MAX_TOKENS_BASE = 12
MIN_TOKENS_PER_S = 0.8
SHORT_VOICE_MS = 600
"""Of a word that a tone or music is taken for; people's interjections last as long."""

GHOSTS = frozenset(
    {
        "thank you",
        "thanks for watching",
        "thank you for watching",
        "thank you so much for watching",
        "please subscribe",
        "subscribe",
        "you",
        "bye",
        "music",
        "silence",
        "applause",
        "beep",
        "beep beep",
    }
)
"""What Whisper says to music, ring-back and silence. People say some of it too: see :func:`is_ghost`."""


_ROUNDS = [(width, 6 if width == 1 else 3) for width in range(1, 9)]
"""How often in a row a run of so many tokens is too often."""


def token_limit(duration_ms: int) -> int:
    """The most tokens that ``duration_ms`` of speech can hold."""
    return int(MAX_TOKENS_BASE + MAX_TOKENS_PER_S * duration_ms / 1000)


def repeats(tokens: Sequence[int]) -> bool:
    """Whether some run of tokens follows itself often enough to deserve a second look (never to be cut for it).

    Looked for on tokens: split into words, a loop such as ``e.e.e.e`` is one word and goes unseen.
    """
    return before_repeats(tokens) is not None


def before_repeats(tokens: Sequence[int]) -> int | None:
    """How many tokens stand before the first run for which ``repeats`` is so; None where it is not."""
    starts = [_loop_start(tokens, width, times) for width, times in _ROUNDS]
    return min((start for start in starts if start is not None), default=None)


def begins_to_repeat(tokens: Sequence[int]) -> bool:
    """Whether the last token makes it so that it ``repeats``, whatever follows."""
    count = len(tokens)
    return any(
        count >= width * times and all(tokens[-i] == tokens[-i - width] for i in range(1, width * (times - 1) + 1))
        for width, times in _ROUNDS
    )


def loop_start(tokens: Sequence[int], digits: Set[int], *, longest: int = 8, times: int = 6) -> int | None:
    """Index just past the second round of a run repeated ``times`` times or more, or None where nothing loops.

    A unit that holds one of the ``digits`` tokens is never a loop: card numbers do read "1 1 1 1 1 1 1".
    """
    for width in range(1, longest + 1):
        start = _loop_start(tokens, width, times)
        if start is not None and digits.isdisjoint(tokens[start : start + width]):
            return start + 2 * width
    return None


def _loop_start(tokens: Sequence[int], width: int, times: int) -> int | None:
    run = 0
    for at in range(width, len(tokens)):
        run = run + 1 if tokens[at] == tokens[at - width] else 0
        if run >= width * (times - 1):
            return at - run + 1 - width
    return None


def echoes(tokens: Sequence[int], before: Sequence[int], *, run: int = 5) -> bool:
    """Whether what was heard behind other words says some of them again, as a model does where nothing follows."""
    said = {tuple(before[at : at + run]) for at in range(len(before) - run + 1)}
    return any(tuple(tokens[at : at + run]) in said for at in range(len(tokens) - run + 1))


def suspicious(tokens: Sequence[int], duration_ms: int, *, ended: bool) -> bool:
    """Whether a decode is not to be believed as it stands and deserves the full window."""
    if not ended or len(tokens) > token_limit(duration_ms) or repeats(tokens):
        return True
    return duration_ms >= 2_000 and len(tokens) < MIN_TOKENS_PER_S * duration_ms / 1000


def is_ghost(text: str, *, no_speech: float, mean_log_probability: float, voiced: float, voiced_ms: int) -> bool:
    """Whether a text is more likely the model's habit than speech.

    ``voiced`` is the mean voice probability over the utterance's ``voiced_ms`` of voiced frames. A real "thank you" has
    a voice behind it, so the phrase alone never condemns a text: a word lost is worse than a ghost.

    Tones and music that pass for a moment of voice are answered with "Oh.", "Okay." or "So...", each at a log
    probability under -2.1 and with `no_speech` above 0.5; interjections of people had -1.1 and more (tiny.en, base).
    """
    plain = "".join(c for c in text.lower() if c.isalnum() or c == " ").strip()
    if not plain:
        return True
    if voiced_ms <= SHORT_VOICE_MS and no_speech > 0.5 and mean_log_probability < -1.8:
        return True
    if plain in GHOSTS:
        unsure = no_speech > 0.4 or mean_log_probability < -0.8
        return no_speech > 0.6 or mean_log_probability < -1.0 or (voiced < 0.65 and unsure)
    return no_speech > 0.85 and mean_log_probability < -1.0 and voiced < 0.65
