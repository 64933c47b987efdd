"""Which decode comes first, and what makes room."""

from __future__ import annotations

from dataclasses import replace

from services.transcriber.domain.recognition import Quality
from services.transcriber.domain.scheduling import DecodeJob, DecodeQueue, Kind, partial_step_ms


def _job(name: str, kind: Kind, *, end_ms: int = 1_000) -> DecodeJob:
    return DecodeJob(
        leg_id=name[0], utterance_id=name, kind=kind, start_ms=0, end_ms=end_ms, captured_ms=end_ms, pcm16=b"",
        rate_hz=8_000,
    )  # fmt: skip


def _names(queue: DecodeQueue) -> list[str]:
    out = []
    while (job := queue.take()) is not None:
        out.append(job.utterance_id)
    return out


def test_finals_go_before_partials_of_the_same_time() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.PARTIAL), 0)
    queue.put(_job("b1", Kind.FINAL), 100)
    queue.put(_job("c1", Kind.SPECULATIVE), 40)
    assert _names(queue) == ["c1", "b1", "a1"]


def test_a_partial_that_waited_long_goes_before_a_fresh_final() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.PARTIAL), 0)
    queue.put(_job("b1", Kind.FINAL), 2_000)
    assert _names(queue) == ["a1", "b1"]


def test_only_the_newest_job_of_an_utterance_waits() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.PARTIAL), 0)
    queue.put(_job("a1", Kind.PARTIAL, end_ms=2_000), 900)
    queue.put(_job("b1", Kind.PARTIAL), 100)
    assert len(queue) == 2
    queue.put(_job("a1", Kind.FINAL), 1_000)
    assert queue.finals == 1
    assert _names(queue) == ["a1", "b1"]


def test_a_partial_is_renewed_only_while_it_waits_and_keeps_its_turn() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.PARTIAL), 0)
    queue.put(_job("b1", Kind.PARTIAL), 100)
    queue.put(replace(_job("a1", Kind.PARTIAL, end_ms=2_000), renews=True), 900)
    first = queue.take()
    assert first is not None
    assert (first.utterance_id, first.end_ms) == ("a1", 2_000)
    queue.put(replace(_job("a1", Kind.PARTIAL, end_ms=3_000), renews=True), 1_000)
    queue.put(_job("b1", Kind.SPECULATIVE), 1_000)
    queue.put(replace(_job("b1", Kind.PARTIAL, end_ms=3_000), renews=True), 1_000)
    last = queue.take()
    assert last is not None
    assert last.kind is Kind.SPECULATIVE
    assert len(queue) == 0


def test_a_cancelled_utterance_keeps_its_final() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.SPECULATIVE), 0)
    queue.put(_job("b1", Kind.FINAL), 0)
    queue.cancel("a1")
    queue.cancel("b1")
    assert _names(queue) == ["b1"]


def test_a_leg_that_leaves_takes_its_jobs_along() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.FINAL), 0)
    queue.put(_job("b1", Kind.FINAL), 0)
    queue.drop_leg("a")
    assert _names(queue) == ["b1"]


def test_lateness_widens_the_steps_and_then_leaves_partials_out() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.FINAL), 0)
    assert queue.late_ms(200) == -100
    assert queue.late_ms(800) == 500
    assert partial_step_ms(DecodeQueue().late_ms(0), step_ms=1_000, off_after_ms=3_000) == 1_000
    assert partial_step_ms(-400, step_ms=1_000, off_after_ms=3_000) == 1_000
    assert partial_step_ms(-100, step_ms=1_000, off_after_ms=3_000) == 1_200
    assert partial_step_ms(500, step_ms=1_000, off_after_ms=3_000) == 1_800
    assert partial_step_ms(3_001, step_ms=1_000, off_after_ms=3_000) is None


def test_a_partial_is_asked_for_with_less_care() -> None:
    assert _job("a1", Kind.PARTIAL).request().quality is Quality.PARTIAL
    assert _job("a1", Kind.SPECULATIVE).request().quality is Quality.FINAL
    assert _job("a1", Kind.AGAIN).request().quality is Quality.AGAIN


def test_what_is_heard_again_comes_after_the_partials_of_a_while_and_not_of_longer() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.AGAIN), 0)
    queue.put(_job("b1", Kind.PARTIAL), 200)
    queue.put(_job("c1", Kind.PARTIAL), 400)
    assert _names(queue) == ["b1", "a1", "c1"]


def test_what_runs_is_interrupted_by_what_is_due_before_it() -> None:
    queue = DecodeQueue()
    queue.put(_job("a1", Kind.AGAIN), 0)
    running = queue.take()
    assert running is not None
    queue.put(_job("b1", Kind.FINAL), 500)
    queue.put(_job("c1", Kind.FINAL), 700)
    first = queue.take(before_ms=running.due_ms)
    assert first is not None
    assert first.utterance_id == "b1"
    assert queue.take(before_ms=running.due_ms) is None
    assert len(queue) == 1
