"""Records calls: reads `audio.chunks` and `calls.lifecycle`, writes one FLAC file a call and says so on
`calls.recordings`.

Two supervised parties become a stereo file, agent left and customer right. A session-supervised call, whose
single stream is mixed, becomes a mono file. Missing audio stays silence of the same length. A restart loses
nothing: audio is read again from the start of every open call, and writing the same audio twice changes nothing.
"""

from __future__ import annotations

import sys

from services.chassis.service import run
from services.recorder.app import main
from services.recorder.config import RecorderSettings

if __name__ == "__main__":
    sys.exit(run("recorder", RecorderSettings, main, about=__doc__ or ""))
