"""Jobs that share a batch, and what becomes of them when one of them is bad."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest

from services.chassis.errors import Fatal, Transient
from services.transcriber.adapters.decode_pool import Decoder
from services.transcriber.domain.recognition import EngineIdentity, Quality, Recognition, RecognitionRequest, nothing
from services.transcriber.domain.scheduling import DecodeJob, DecodeQueue, Kind

BAD = b"\x01\x00"


class Batching:
    """Fails whole batches that hold bad audio."""

    identity = EngineIdentity("batching", "none", "1")

    def __init__(self, failure: type[Exception] = Transient) -> None:
        self.batches: list[int] = []
        self._failure = failure

    def batch_key(self, request: RecognitionRequest) -> Hashable:
        return request.quality

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        return self.recognize_batch([request])[0]

    def recognize_batch(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        self.batches.append(len(requests))
        if any(request.pcm16 == BAD for request in requests):
            raise self._failure("bad audio")
        return [Recognition(no_speech=0.5) for _ in requests]


class OneByOne:
    """An engine that knows no batches."""

    identity = EngineIdentity("one", "none", "1")

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        return Recognition()


def _job(name: str, kind: Kind, pcm16: bytes = b"") -> DecodeJob:
    return DecodeJob(
        leg_id=name, utterance_id=name, kind=kind, start_ms=0, end_ms=1_000, captured_ms=0, pcm16=pcm16, rate_hz=8_000
    )


def _queue(*jobs: DecodeJob) -> DecodeQueue:
    queue = DecodeQueue()
    for number, job in enumerate(jobs):
        queue.put(job, number)
    return queue


def test_the_most_urgent_job_takes_those_of_its_kind_along() -> None:
    queue = _queue(*(_job(f"p{n}", Kind.PARTIAL) for n in range(3)), *(_job(f"f{n}", Kind.FINAL) for n in range(3)))
    decoder = Decoder(Batching(), batch=2)
    assert [job.utterance_id for job in decoder.take(queue)] == ["f0", "f1"]
    assert [job.utterance_id for job in decoder.take(queue)] == ["f2"]
    assert [job.utterance_id for job in decoder.take(queue)] == ["p0", "p1"]
    assert [job.utterance_id for job in decoder.take(queue)] == ["p2"]
    assert decoder.take(queue) == []


def test_speculative_and_final_decodes_are_of_one_kind() -> None:
    decoder = Decoder(Batching())
    assert len(decoder.take(_queue(_job("a", Kind.FINAL), _job("b", Kind.SPECULATIVE), _job("c", Kind.PARTIAL)))) == 2
    assert _job("a", Kind.SPECULATIVE).request().quality is Quality.FINAL


def test_an_engine_without_batches_gets_one_at_a_time() -> None:
    decoder = Decoder(OneByOne())
    jobs = decoder.take(_queue(_job("a", Kind.FINAL), _job("b", Kind.FINAL)))
    assert [job.utterance_id for job in jobs] == ["a"]
    assert decoder.decode(jobs) == [(jobs[0], Recognition())]


def test_one_bad_audio_does_not_spoil_the_others() -> None:
    engine = Batching()
    jobs = [_job("a", Kind.FINAL), _job("b", Kind.FINAL, BAD), _job("c", Kind.FINAL)]
    answers = Decoder(engine).decode(jobs)
    assert [recognition is None for _, recognition in answers] == [False, True, False]
    assert engine.batches == [3, 1, 1, 1]


def test_an_engine_that_gives_up_ends_the_process() -> None:
    with pytest.raises(Fatal):
        Decoder(Batching(Fatal)).decode([_job("a", Kind.FINAL, BAD), _job("b", Kind.FINAL)])
