"""Whether a model has the languages that the settings name, and room for the words they expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from services.chassis.errors import SettingError
from services.transcriber.domain.queues import Speech

MOST_HOT_WORD_TOKENS = 219
"""Of the decoder's 448 positions, what an answer of 224 tokens and the five that say what is asked leave."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Speech, and the names of the settings that its parts are from."""

    languages_setting: str
    vocabulary_setting: str
    speech: Speech


def check_speech(folder: Path, model_name: str, expected: Iterable[Expected]) -> None:
    """Raise SettingError where the model in the folder cannot do what is expected."""
    vocabulary = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    faults: list[str] = []
    for one in expected:
        unknown = [name for name in one.speech.languages if vocabulary.token_to_id(f"<|{name}|>") is None]
        if unknown:
            faults.append(f"{one.languages_setting}: {model_name} does not know {', '.join(unknown)}")
        tokens = len(vocabulary.encode(f" {one.speech.hot_words or ''}", add_special_tokens=False).ids)
        if tokens > MOST_HOT_WORD_TOKENS:
            faults.append(f"{one.vocabulary_setting}: {tokens} tokens, {model_name} takes {MOST_HOT_WORD_TOKENS}")
    if faults:
        raise SettingError("\n".join(faults))
