"""Whisper by CTranslate2, several stretches at a time.

A stretch is encoded with some zeros behind it, and states of a long silence (``silence_tail``) are appended before it
is decoded. A step costs about as much for one stretch as for four, so what waits is decoded together; the tail brings
all of a batch to one length. A final's length is chosen by its own audio alone, so that its text is the same in any
company. On a GPU encoding together pays, too: there windows are whole seconds, and those of one length are encoded at
once; how a GPU rounds may then depend on the company.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import ctranslate2
import numpy as np

from services.transcriber.adapters.log_mel import Front
from services.transcriber.adapters.onnx_graph import Floats
from services.transcriber.adapters.runtime import (
    FRAMES_PER_S,
    FULL_FRAMES,
    FULL_STATES,
    MOST_TOKENS,
    STATES_PER_S,
    Alignment,
    Heard,
    Hypothesis,
    Question,
    Stage,
    even_frames,
    spliced,
    states_within,
)
from services.transcriber.adapters.silence_tail import TAIL_FROM, mean_tail
from services.transcriber.adapters.sound import Sound
from services.transcriber.domain.recognition import Quality, nothing

PAD_S = {Quality.PARTIAL: 1.5, Quality.FINAL: 2.0}
LEAST_WINDOW_S = 3.0
PARTIAL_TAIL_STATES = 2 * STATES_PER_S
FINAL_TAIL_STATES = 4 * STATES_PER_S
FINAL_STATES = (600, 900, 1_200, FULL_STATES)
"""Lengths of finals as the decoder sees them: the first that leaves room for the tail."""


class CTranslate2Runtime:
    """A ``Runtime``."""

    version = f"ctranslate2 {ctranslate2.__version__}"

    def __init__(self, model: Any, front: Front, *, end: int, stage: Stage, together: bool = False) -> None:
        """Make the silence tail (about a second). ``end``: the first token that is no text.

        ``together``: encode stretches at once where their windows are equally long, as pays on a GPU.
        """
        self._model = model
        self._front = front
        self._end = end
        self._stage = stage
        self._together = together
        self._tail = mean_tail(lambda sound: self._encode([sound], FULL_FRAMES)[0])

    def batch_key(self, duration_ms: int, quality: Quality, expected: str) -> Hashable | None:
        """Partials go together, and finals of one length; their prompts are equally long."""
        if quality is Quality.PARTIAL:
            return quality, expected
        return quality, expected, _final_states(self._own_frames(duration_ms / 1000, quality) // 2)

    def hear(
        self,
        sounds: Sequence[Sound],
        quality: Quality,
        *,
        full: bool = False,
        earlier: Sequence[Heard | None] = (),
        between: Callable[[], None] = nothing,
    ) -> list[Heard]:
        """All as long as the longest."""
        own = self._encode_all(
            sounds, [FULL_FRAMES if full else self._own_frames(one.duration_s, quality) for one in sounds]
        )
        longest = max(len(states) for states in own)
        length = _final_states(longest) if quality is Quality.FINAL else min(longest + PARTIAL_TAIL_STATES, FULL_STATES)
        nothing = np.zeros(length, dtype=np.float32)
        return [Heard(spliced(states, self._tail, TAIL_FROM, length), nothing, len(states)) for states in own]

    def plain(self, heard: Heard) -> Floats:
        """As they are."""
        return heard.states

    def decode(
        self,
        heard: Sequence[Heard],
        questions: Sequence[Question],
        *,
        beam: int,
        between: Callable[[], None] = nothing,
    ) -> list[Hypothesis]:
        """All together; their prompts are equally long."""
        longest = max(question.limit for question in questions)
        with self._stage("decode"):
            results = self._model.generate(
                ctranslate2.StorageView.from_array(np.stack([one.states for one in heard])),
                [list(question.prompt) for question in questions],
                beam_size=beam,
                # The library ends at half of it, the prompt's included.
                max_length=min(2 * longest + len(questions[0].prompt), 2 * MOST_TOKENS),
                return_scores=True,
                return_no_speech_prob=True,
                suppress_tokens=[-1],
            )
        return [self._hypothesis(result, question.limit) for result, question in zip(results, questions, strict=True)]

    def align(self, heard: Heard, prompt: Sequence[int], said: Hypothesis, duration_ms: int) -> Alignment:
        """The library's own, which adds the prompt's last token itself, that there are no timestamps."""
        frames = 2 * states_within(duration_ms)
        with self._stage("align"):
            view = ctranslate2.StorageView.from_array(heard.states[np.newaxis])
            (found,) = self._model.align(view, list(prompt[:-1]), [list(said.tokens)], frames)
        starts = dict(reversed(found.alignments))
        return Alignment(tuple(starts[token] for token in sorted(starts)), tuple(found.text_token_probs))

    def _hypothesis(self, result: Any, limit: int) -> Hypothesis:
        tokens = tuple(token for token in result.sequences_ids[0] if token < self._end)
        return Hypothesis(tokens, result.scores[0], result.no_speech_prob, ended=len(tokens) < limit)

    def _own_frames(self, seconds: float, quality: Quality) -> int:
        frames = even_frames(max(seconds + PAD_S[quality], LEAST_WINDOW_S))
        return -(-frames // FRAMES_PER_S) * FRAMES_PER_S if self._together else frames

    def _encode_all(self, sounds: Sequence[Sound], frames: Sequence[int]) -> list[Floats]:
        groups: dict[int, list[int]] = defaultdict(list)
        for number, length in enumerate(frames):
            groups[length if self._together else number].append(number)
        states: dict[int, Floats] = {}
        for members in groups.values():
            found = self._encode([sounds[number] for number in members], frames[members[0]])
            states |= zip(members, found, strict=True)
        return [states[number] for number in range(len(sounds))]

    def _encode(self, sounds: Sequence[Sound], frames: int) -> Floats:
        """States [sounds, frames / 2, width]."""
        mels = np.concatenate([self._front.mel(sound, frames) for sound in sounds])
        with self._stage("encode"):
            states = self._model.encode(ctranslate2.StorageView.from_array(mels), to_cpu=True)
            out: Floats = np.array(states, dtype=np.float32)
            return out


def _final_states(own: int) -> int:
    return next((length for length in FINAL_STATES if own + FINAL_TAIL_STATES <= length), FULL_STATES)
