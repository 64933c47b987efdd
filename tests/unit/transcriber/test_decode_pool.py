"""Decodes on the pool's thread: what is more urgent goes first, and what nobody waits for any more ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from services.transcriber.adapters.decode_pool import DecodePool
from services.transcriber.domain.recognition import EngineIdentity, Quality, Recognition, RecognitionRequest, nothing
from services.transcriber.domain.scheduling import DecodeJob, Kind

WAIT_S = 10.0


def job(name: str, kind: Kind) -> DecodeJob:
    return DecodeJob(
        leg_id="leg", utterance_id=name, kind=kind, start_ms=0, end_ms=100, captured_ms=0,
        pcm16=name.encode(), rate_hz=8_000,
    )  # fmt: skip


class LongEngine:
    """Hears again in two steps, between which the test does something."""

    identity = EngineIdentity("long", "none", "1")

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = nothing
        self.done: list[str] = []

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        if request.quality is Quality.AGAIN:
            self.meanwhile()
            between()
        self.done.append(request.pcm16.decode())
        return Recognition()


class HeardAtOnce:
    """Hears again in two steps, and whoever is asked second is heard before the first goes on."""

    identity = EngineIdentity("both", "none", "1")

    def __init__(self) -> None:
        self.asked = [threading.Event(), threading.Event()]
        self.go_on = [threading.Event(), threading.Event()]
        self._lock = threading.Lock()

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        with self._lock:
            number = sum(asked.is_set() for asked in self.asked)
            self.asked[number].set()
        assert self.go_on[number].wait(WAIT_S)
        between()
        return Recognition()


def test_who_is_heard_again_is_so_though_an_earlier_try_was_given_up() -> None:
    engine = HeardAtOnce()
    pool = DecodePool(engine, threads=2, wall_ms=lambda: 0)
    pool.submit(job("again", Kind.AGAIN))
    assert engine.asked[0].wait(WAIT_S)
    pool.cancel("again")
    pool.submit(job("again", Kind.AGAIN))
    assert engine.asked[1].wait(WAIT_S)
    engine.go_on[0].set()
    pool.wait(0.2)
    engine.go_on[1].set()
    assert answered(pool, 1) == ["again"]
    pool.close()
    assert pool.answers() == []


@pytest.fixture
def engine() -> LongEngine:
    return LongEngine()


@pytest.fixture
def pool(engine: LongEngine) -> Iterator[DecodePool]:
    pool = DecodePool(engine, threads=1, wall_ms=lambda: 0)
    yield pool
    pool.close()


def answered(pool: DecodePool, count: int) -> list[str]:
    out: list[str] = []
    while len(out) < count:
        pool.wait(WAIT_S)
        found = [job.utterance_id for job, _, _ in pool.answers()]
        assert found
        out += found
    return out


def test_a_partial_goes_first_though_something_is_being_heard_again(engine: LongEngine, pool: DecodePool) -> None:
    engine.meanwhile = lambda: pool.submit(job("partial", Kind.PARTIAL))
    pool.submit(job("again", Kind.AGAIN))
    assert answered(pool, 2) == ["partial", "again"]
    assert engine.done == ["partial", "again"]


def test_what_is_as_late_does_not_go_first(engine: LongEngine, pool: DecodePool) -> None:
    def once() -> None:
        engine.meanwhile = nothing
        pool.submit(job("other", Kind.AGAIN))

    engine.meanwhile = once
    pool.submit(job("again", Kind.AGAIN))
    assert answered(pool, 2) == ["again", "other"]


def test_nobody_is_heard_again_who_goes_on_speaking(engine: LongEngine, pool: DecodePool) -> None:
    engine.meanwhile = lambda: pool.cancel("again")
    pool.submit(job("again", Kind.AGAIN))
    pool.submit(job("next", Kind.FINAL))
    assert answered(pool, 1) == ["next"]
    engine.meanwhile = nothing
    pool.submit(job("again", Kind.AGAIN))
    assert answered(pool, 1) == ["again"]
    assert engine.done == ["next", "again"]
