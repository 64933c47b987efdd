"""Excerpts of the conversations in tests/data, with the known words that are in them."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

FOLDER = Path(__file__).resolve().parents[1] / "data" / "conversations"
TAIL_MS = 700


def excerpt(name: str, folder: Path, *, at_most_ms: int) -> Path:
    """A stereo WAV in `folder` of the turns that end within `at_most_ms`, its known words beside it.

    It ends where no turn is cut, with `TAIL_MS` more at the most.
    """
    document = json.loads((FOLDER / f"{name}.json").read_text())
    turns = sorted(document["turns"], key=lambda turn: turn["start_ms"])
    kept: list[dict[str, object]] = []
    end_ms = 0
    for index, turn in enumerate(turns):
        reach_ms = max(end_ms, turn["end_ms"])
        following = turns[index + 1]["start_ms"] if index + 1 < len(turns) else document["duration_ms"]
        if reach_ms > at_most_ms:
            break
        end_ms = reach_ms
        if following >= reach_ms:
            kept, cut_ms = turns[: index + 1], min(reach_ms + TAIL_MS, following)
    samples, rate = soundfile.read(FOLDER / f"{name}.flac", dtype="int16")
    path = folder / f"{name}_{at_most_ms}.wav"
    soundfile.write(path, samples[: cut_ms * rate // 1000], rate)
    path.with_suffix(".json").write_text(json.dumps({**document, "turns": kept, "duration_ms": cut_ms}))
    return path
