"""`python -m services.transcriber`; with `--check` only looks whether models and device are there."""

from __future__ import annotations

import sys

from services.chassis.service import run
from services.transcriber.app import check, main
from services.transcriber.config import TranscriberSettings

ABOUT = """Writes down what is said on each leg of audio.chunks, redacted, to transcripts.partial and transcripts.final.

--check  look whether models, device and number format are there, and exit."""

if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(check())
    sys.exit(run("transcriber", TranscriberSettings, main, about=ABOUT))
