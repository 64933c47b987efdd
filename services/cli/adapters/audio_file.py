"""Reading the file that the demo plays, with one line that says what is wanted when it is not that."""

from __future__ import annotations

from pathlib import Path

import orjson
import soundfile

from services.chassis.errors import EarshotError
from services.cli.domain.conversation import Conversation, known_words

WANTED = "wanted is a stereo WAV or FLAC file with the agent on the left and the customer on the right"
LEAST_MS = 1_000


class BadCallFile(EarshotError):
    """The file cannot be played as a call; the text is one line."""


def open_conversation(path: Path) -> Conversation:
    """The file as a call, with the known words that lie beside it as NAME.json, if they do. Raises BadCallFile."""
    if not path.is_file():
        raise BadCallFile(f"{path}: there is no such file; {WANTED}")
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError):
        raise BadCallFile(f"{path}: this is not audio that can be read; {WANTED}") from None
    if info.channels != 2:
        kind = "mono" if info.channels == 1 else f"{info.channels} channels"
        raise BadCallFile(f"{path}: this is {kind}; {WANTED}")
    duration_ms = round(info.frames * 1000 / info.samplerate)
    if duration_ms < LEAST_MS:
        raise BadCallFile(f"{path}: only {duration_ms} ms of audio, at least {LEAST_MS} are needed; {WANTED}")
    try:
        with soundfile.SoundFile(str(path)) as file:
            while len(file.read(1 << 20, dtype="int16")):
                pass
    except (soundfile.LibsndfileError, OSError):
        raise BadCallFile(f"{path}: the audio breaks off before its end; {WANTED}") from None
    beside = path.with_suffix(".json")
    known = known_words(orjson.loads(beside.read_bytes())) if beside.is_file() else None
    return Conversation(path=str(path.resolve()), duration_ms=duration_ms, known=known)
