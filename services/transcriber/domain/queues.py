"""What is expected to be heard on the calls of each queue: languages, and names and terms.

    queues:
      "62001": {languages: [fr], vocabulary: [Earshot, RingEX]}
      "62002": {languages: [en, es]}

The keys are the queues' extension ids. What a queue does not say is as set for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIELDS = ("languages", "vocabulary")
LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Speech:
    """What may be spoken. No ``languages``, and ``hot_words`` None: as set for all; no hot words: none are expected."""

    languages: tuple[str, ...] = ()
    hot_words: str | None = None


AS_SET_FOR_ALL = Speech()


def read_queues(root: object, *, english_only: str = "") -> dict[str, Speech]:
    """Each queue's speech, from mappings, lists and texts as a YAML file holds them.

    ``english_only`` names the model where it knows English alone. Raises ValueError with one line a fault, each of
    which names the queue and the field.
    """
    if not isinstance(root, Mapping) or set(root) != {"queues"} or not isinstance(root["queues"], Mapping):
        raise ValueError("wants one entry, `queues:`, with an entry a queue below it")
    faults: list[str] = []
    out = {str(queue): _speech(str(queue), told, english_only, faults) for queue, told in root["queues"].items()}
    if faults:
        raise ValueError("\n".join(faults))
    return out


def _speech(queue: str, told: Any, english_only: str, faults: list[str]) -> Speech:
    if not isinstance(told, Mapping) or not told:
        faults.append(f"queue {queue}: must say {' or '.join(FIELDS)}")
        return AS_SET_FOR_ALL
    for field in told:
        if field not in FIELDS:
            faults.append(f"queue {queue}, {field}: is not known; there are {' and '.join(FIELDS)}")
    languages = _texts(queue, "languages", told, "[fr]", faults)
    words = _texts(queue, "vocabulary", told, "[Earshot, RingEX]", faults)
    if languages is not None:
        for fault in _faults(languages, english_only):
            faults.append(f"queue {queue}, languages: {fault}")
    if words and english_only:
        faults.append(f"queue {queue}, vocabulary: {english_only} gets worse with one; base gets better")
    return Speech(tuple(languages or ()), None if words is None else ", ".join(words))


def _texts(queue: str, field: str, told: Mapping[str, Any], such_as: str, faults: list[str]) -> list[str] | None:
    """A field's list; None where the queue does not say, or not so that it can be read."""
    if field not in told:
        return None
    value = told[field]
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        faults.append(f"queue {queue}, {field}: must be a list such as {such_as}")
        return None
    return [text.strip() for text in value]


def _faults(languages: list[str], english_only: str) -> list[str]:
    if not languages:
        return ["names none; leave it out where it is as set for all"]
    if english_only and languages != ["en"]:
        return [f"{english_only} knows English alone; base knows others"]
    out = [f"{name} is no language's code such as fr" for name in languages if not LANGUAGE.fullmatch(name)]
    return out + (["names one twice"] if len(set(languages)) < len(languages) else [])
