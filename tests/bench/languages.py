"""Other languages than English with base: human prompts, their language not told.

The prompts are those of Debian's packages ``asterisk-core-sounds-{fr,es,it,en}-wav`` (CC BY-SA, not shipped):
`apt-get install` them, or name their folder in PROMPTS. They come without text, so that words are counted on legs put
together from the prompts whose file names say what they are: French numbers, days and months.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import soundfile

from services.cli.domain.accuracy import bare
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.app import load_engine
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.formatting.row import Row, written
from services.transcriber.domain.formatting.writing import RULES
from tests.bench.asr.engines import missing
from tests.bench.asr.feed import Feed
from tests.bench.asr.material import Call, Leg
from tests.bench.asr.virtual import VirtualRun
from tests.support.noises import telephone

MODEL = "base"
SETTINGS = TranscriberSettings(model_name=MODEL, languages="")
PROMPTS = Path("/usr/share/asterisk/sounds")
RATE_HZ = 8_000
PROMPTS_EACH = 25
SHORTEST_S, LONGEST_S = 2.5, 12.0
DAYS = ("dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi")
MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
UNITS = ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
DATES = 40


def measure() -> dict[str, Any]:
    """How often the language is right, and how well French dates are heard."""
    out: dict[str, Any] = {"suite": "languages", "model": MODEL}
    if why := missing(MODEL):
        return out | {"skipped": why}
    folders = {path.name[:2]: path for path in sorted(_prompts().glob("[a-z][a-z]_*")) if path.is_dir()}
    if "fr" not in folders:
        return out | {"skipped": f"no prompts in {_prompts()} (Debian: asterisk-core-sounds-fr-wav and -es, -it, -en)"}
    engine = load_engine(SETTINGS)
    assert isinstance(engine, WhisperEngine)
    out["detected"] = {language: _detected(engine, language, folder) for language, folder in folders.items()}
    out["french_dates"] = _dates(engine, folders["fr"] / "digits")
    return out


def _prompts() -> Path:
    return Path(os.environ.get("PROMPTS") or PROMPTS)


def _detected(engine: WhisperEngine, language: str, folder: Path) -> dict[str, Any]:
    """Each prompt is a leg of its own: what its language was taken for, and what was understood."""
    heard: Counter[str] = Counter()
    said: list[str] = []
    for file in sorted(folder.glob("*.wav")):
        sound = _read(file)
        if not SHORTEST_S <= len(sound) / RATE_HZ <= LONGEST_S or len(said) >= PROMPTS_EACH:
            continue
        found, texts = _finals(engine, sound)
        heard[found] += 1
        said.append(f"{file.stem}: {' '.join(texts)}")
    return {"prompts": len(said), "right": heard[language], "taken_for": dict(heard.most_common()), "said": said[:5]}


def _dates(engine: WhisperEngine, folder: Path) -> dict[str, Any]:
    """One leg of dates such as "lundi vingt trois mars", each with a pause behind it."""
    chance = random.Random(5)
    sounds, known = [_pause(600)], []
    for _ in range(DATES):
        day, tens, unit, month = (
            chance.randrange(7),
            chance.choice(list(TENS)),
            chance.randrange(8),
            chance.randrange(12),
        )
        names = [f"day-{day}", str(tens), str(unit + 2), f"mon-{month}"]
        known.append(f"{DAYS[day]} {TENS[tens]} {UNITS[unit]} {MONTHS[month]}")
        for name in names:
            sounds += [_trimmed(_read(folder / f"{name}.wav")), _pause(40)]
        sounds.append(_pause(900))
    found, texts = _finals(engine, np.concatenate(sounds))
    wanted, got = (_comparable(" ".join(lines)) for lines in (known, texts))
    return {
        "language": found,
        "words": len(wanted.split()),
        "word_error_rate": round(float(jiwer.wer(wanted, got)), 4),
        "said": texts[:8],
    }


def _comparable(text: str) -> str:
    """As French numbers are written, without case and punctuation."""
    words = [piece.text for _, piece in written(Row(text.replace(",", " ").split(), ended=True), RULES["fr"])]
    return " ".join(filter(None, (bare(word) for word in words)))


def _finals(engine: WhisperEngine, sound: np.ndarray[Any, Any]) -> tuple[str, list[str]]:
    """The language that most words were taken for, and the finals' texts."""
    pcm16 = telephone(np.concatenate([_pause(300), sound, _pause(800)]))
    leg = Leg(name="prompt", role="customer", pcm16=pcm16, text="")
    run = VirtualRun(engine, SETTINGS)
    run.play(Feed([Call("prompt", (leg,))], legs=1, until_ms=leg.duration_ms, runs_on=False, from_start=True))
    records = [record for record in run.screen.finals if record.text]
    languages = Counter[str]()
    for record in records:
        languages[record.language] += len(record.words)
    return (languages.most_common(1)[0][0] if languages else "", [record.text for record in records])


def _read(file: Path) -> np.ndarray[Any, Any]:
    samples, rate_hz = soundfile.read(file, dtype="float64")
    if rate_hz != RATE_HZ or samples.ndim != 1:
        raise SystemExit(f"PROMPTS: {file} is not mono at 8 kHz")
    return np.asarray(samples)


def _trimmed(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Without the silence around a prompt."""
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return sound[max(0, loud[0] - 160) : loud[-1] + 160] if len(loud) else sound


def _pause(ms: int) -> np.ndarray[Any, Any]:
    return np.zeros(ms * RATE_HZ // 1000)
