"""Whisper by our own graphs on a CPU in int8, one stretch at a time: ``packed_encoder`` and ``packed_decoder``."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

from services.transcriber.adapters.ctranslate2_weights import openai_state, read_variables
from services.transcriber.adapters.log_mel import Front
from services.transcriber.adapters.onnx_graph import Floats
from services.transcriber.adapters.packed_decoder import PackedDecoder
from services.transcriber.adapters.packed_encoder import PackedEncoder, settled
from services.transcriber.adapters.runtime import (
    FULL_FRAMES,
    FULL_STATES,
    STATES_PER_S,
    Alignment,
    Heard,
    Hypothesis,
    Question,
    Stage,
    even_frames,
    spliced,
)
from services.transcriber.adapters.silence_tail import TAIL_FROM, clips
from services.transcriber.adapters.sound import Sound
from services.transcriber.domain.recognition import Quality, nothing

PAD_S = {Quality.PARTIAL: 0.1, Quality.FINAL: 0.3}
PLAIN_TAIL_STATES = 2 * STATES_PER_S


class PackedRuntime:
    """A ``Runtime``."""

    version = f"onnxruntime {onnxruntime.__version__}"

    def __init__(self, model_dir: Path, front: Front, *, end: int, start: int, no_speech: int, stage: Stage) -> None:
        """Make the graphs and the silence (about four seconds). ``end``, ``start``, ``no_speech``: tokens."""
        state = openai_state(read_variables(model_dir / "model.bin"))
        config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
        self._decoder = PackedDecoder(state, config, end=end, start=start, no_speech=no_speech)
        self._encoder = PackedEncoder(state, [front.mel(clip, FULL_FRAMES) for clip in clips()])
        self._silent = self._decoder.cross(self._encoder.picked)
        self._front = front
        self._stage = stage

    def batch_key(self, duration_ms: int, quality: Quality, expected: str) -> Hashable | None:
        """None: the cost is by the stretch."""
        return None

    def hear(
        self,
        sounds: Sequence[Sound],
        quality: Quality,
        *,
        full: bool = False,
        earlier: Sequence[Heard | None] = (),
        between: Callable[[], None] = nothing,
    ) -> list[Heard]:
        """One after the other; of a partial only what is new, and what was too near to the end before.

        On a full window, all: there what is still to come stands as silence in the middle.
        """
        out = []
        for one, known in zip(sounds, [None] * len(sounds) if full or not earlier else earlier, strict=True):
            frames = FULL_FRAMES if full else even_frames(one.duration_s + PAD_S[quality])
            mel = self._front.mel(one, frames)
            with self._stage("encode"):
                heard = self._encoder.encode(mel, earlier=known, between=between)
            out.append(self._crossed(heard if quality is Quality.PARTIAL else replace(heard, tails=()), known))
        return out

    def plain(self, heard: Heard) -> Floats:
        """The speech's own, and some of the silence behind."""
        length = min(heard.own + PLAIN_TAIL_STATES, FULL_STATES)
        return spliced(heard.states[: heard.own], self._encoder.silence, TAIL_FROM, length)

    def decode(
        self,
        heard: Sequence[Heard],
        questions: Sequence[Question],
        *,
        beam: int,
        between: Callable[[], None] = nothing,
    ) -> list[Hypothesis]:
        """One after the other."""
        with self._stage("decode"):
            return [
                self._decoder.decode(self._crossed(one), asked, beam=beam, between=between)
                for one, asked in zip(heard, questions, strict=True)
            ]

    def align(self, heard: Heard, prompt: Sequence[int], said: Hypothesis, duration_ms: int) -> Alignment:
        """By one more pass of the decoder; the probabilities are those of the decode."""
        with self._stage("align"):
            return self._decoder.align(self._crossed(heard), prompt, said, duration_ms)

    def _crossed(self, heard: Heard, earlier: Heard | None = None) -> Heard:
        """With what the decoder looks at: of silence it is there, and of an earlier partial's states."""
        if heard.cross:
            return heard
        known = settled(earlier)
        with self._stage("decode"):
            own = self._decoder.cross(heard.states[known : heard.own])
        before = earlier.cross if earlier is not None else own
        silent = len(self._encoder.picked) - (len(heard.states) - heard.own)
        parts = zip(before, own, self._silent, strict=True)
        joined = [np.concatenate([a[:, :, :known], b, c[:, :, silent:]], axis=2) for a, b, c in parts]
        return replace(heard, cross=tuple(joined))
