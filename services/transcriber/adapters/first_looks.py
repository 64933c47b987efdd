"""What an engine understood of late utterances by themselves, so that it need not be asked again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from hashlib import blake2b
from typing import Generic, TypeVar

from services.transcriber.domain.recognition import RecognitionRequest

T = TypeVar("T")

KEPT = 2_000
"""Some minutes of a hundred legs: a few MB."""


class FirstLooks(Generic[T]):
    """Thread-safe. It saves work and decides nothing: what is not there is made as it would have been before."""

    def __init__(self, *, kept: int = KEPT) -> None:
        """Know nothing yet."""
        self._kept = kept
        self._looks: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, request: RecognitionRequest, look: T) -> None:
        """Keep what a request gave by itself, and let go of the oldest."""
        with self._lock:
            self._looks[_name(request)] = look
            while len(self._looks) > self._kept:
                self._looks.popitem(last=False)

    def get(self, request: RecognitionRequest, make: Callable[[], T]) -> T:
        """What the request gave, or gives now."""
        with self._lock:
            known = self._looks.get(_name(request))
        if known is None:
            known = make()
            self.put(request, known)
        return known

    def forget(self, request: RecognitionRequest) -> None:
        """Let go of what a request gave."""
        with self._lock:
            self._looks.pop(_name(request), None)


def _name(request: RecognitionRequest) -> Hashable:
    """The audio by its digest: the cache holds no speech."""
    return replace(request, pcm16=blake2b(request.pcm16).digest(), before=(), draft=None)
