"""Words that nobody said: ten minutes each of silence, hold music, ring-back and line noise through the transcriber.

Hold music is that of Debian's package ``asterisk-moh-opsound-wav`` (CC BY-SA, not shipped): `apt-get install` it, or
name a folder of WAV in HOLD_MUSIC. Without it synthesized music is played alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.config import TranscriberSettings
from tests.bench.asr.engines import MODELS, load_engine, missing
from tests.bench.asr.feed import Feed
from tests.bench.asr.material import Call, Leg
from tests.bench.asr.virtual import VirtualRun
from tests.support import noises

SECONDS = 600
HOLD_MUSIC = Path("/usr/share/asterisk/moh")
RATE_HZ = 8_000


def measure() -> dict[str, Any]:
    """False words by kind of sound and by model."""
    out: dict[str, Any] = {"suite": "ghosts", "seconds_each": SECONDS, "models": {}}
    sounds = dict(_sounds(SECONDS))
    if "hold_music" not in sounds:
        out["hold_music"] = f"skipped: no WAV in {_hold_music_folder()} (Debian: asterisk-moh-opsound-wav)"
    for model in MODELS:
        if why := missing(model):
            out["models"][model] = f"skipped: {why}"
            continue
        engine = load_engine(model)
        kinds = {kind: _figures(heard(engine, pcm16)) for kind, pcm16 in sounds.items()}
        hours = len(kinds) * SECONDS / 3600
        words = sum(figures["false_words"] for figures in kinds.values())
        out["models"][model] = {"false_words_per_hour": round(words / hours, 2), "kinds": kinds}
    return out


def heard(engine: WhisperEngine, pcm16: bytes) -> list[tuple[str, bool]]:
    """The texts that were published of a leg with this audio alone, and whether each was final."""
    leg = Leg(name="nobody", role="customer", pcm16=pcm16, text="")
    run = VirtualRun(engine, TranscriberSettings())
    run.play(Feed([Call("nobody", (leg,))], legs=1, until_ms=leg.duration_ms, runs_on=False, from_start=True))
    shown = [shown for revisions in run.screen.seen.values() for shown in revisions]
    return [(" ".join(one.words), one.final) for one in shown]


def _figures(texts: list[tuple[str, bool]]) -> dict[str, Any]:
    finals = [text for text, final in texts if final and text]
    words = sum(len(text.split()) for text in finals)
    return {
        "finals": len(finals),
        "false_words": words,
        "false_words_per_hour": round(words * 3600 / SECONDS, 2),
        "partials": sum(not final and bool(text) for text, final in texts),
        "said": finals[:20],
    }


def _sounds(seconds: int) -> Iterator[tuple[str, bytes]]:
    makers: dict[str, Callable[[float], bytes]] = {
        "silence": noises.silence,
        "ring_back": noises.ring_back,
        "line_noise": noises.line_noise,
        "synthesized_music": noises.music,
    }
    yield from ((kind, make(seconds)) for kind, make in makers.items())
    music = _hold_music(seconds)
    if music:
        yield "hold_music", music


def _hold_music_folder() -> Path:
    return Path(os.environ.get("HOLD_MUSIC") or HOLD_MUSIC)


def _hold_music(seconds: int) -> bytes:
    files = sorted(_hold_music_folder().glob("*.wav"))
    parts = []
    for file in files:
        samples, rate_hz = soundfile.read(file, dtype="float64")
        if rate_hz != RATE_HZ or samples.ndim != 1:
            raise SystemExit(f"HOLD_MUSIC: {file} is not mono at 8 kHz")
        # From the middle of each, as callers hear it.
        length = min(len(samples), seconds * RATE_HZ // len(files))
        first = (len(samples) - length) // 2
        parts.append(samples[first : first + length])
    if not parts:
        return b""
    return noises.telephone(np.resize(np.concatenate(parts), seconds * RATE_HZ))
