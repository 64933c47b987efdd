"""Real speech through real SIP, SRTP, Whisper and the broker, every service a process of its own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from tests.support.conversations import excerpt
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.timeout(300)


def test_a_call_is_heard_written_down_helped_and_recorded(pipeline: Pipeline, tmp_path: Path) -> None:
    call = pipeline.play(excerpt("broadband_outage", tmp_path, at_most_ms=45_000))
    log = call.wait_until_complete()
    found, result = call.problems()
    assert found == []
    assert result["outcome"] == "covered"
    assert log.recording is not None
    samples, rate = soundfile.read(log.recording.uri)
    assert samples.shape[1] == 2
    assert abs(len(samples) / rate * 1000 - log.recording.duration_ms) <= 1
    hidden = [(u, r) for u in log.finals() for r in u.redactions]
    assert {r.type for _, r in hidden} <= {span.type for span in log.recording.muted}
    for utterance, redaction in hidden:
        side = 0 if utterance.role == "agent" else 1
        assert not samples[redaction.start_ms * rate // 1000 : redaction.end_ms * rate // 1000, side].any()
    assert all(s.citations[0].passage and s.source_utterance_ids for s in log.suggestions.values())


def test_nothing_is_lost_or_doubled_when_services_are_killed(pipeline: Pipeline, tmp_path: Path) -> None:
    """Each service but the one that holds the sockets is killed and started again while the call goes on."""
    call = pipeline.play(excerpt("late_parcel", tmp_path, at_most_ms=70_000))
    victims = ["event_ingestor", "supervision_orchestrator", "insights", "assist_gateway", "recorder", "transcriber"]
    for index, name in enumerate(victims):
        call.wait_until_audio_at(4_000 + index * 9_000)
        pipeline.stack.restart(name)
    log = call.wait_until_complete()
    found, result = call.problems()
    assert [p for p in found if p != "no suggestion was made"] == []
    assert result["outcome"] == "covered"
    for role in ("agent", "customer"):
        mine = sorted((u for u in log.finals() if u.role == role), key=lambda u: u.start_ms)
        assert all(one.end_ms <= other.start_ms for one, other in pairwise(mine))
    pipeline.stack.wait_until_ready()


def test_a_killed_media_gateway_comes_back_and_the_gap_is_told(pipeline: Pipeline, tmp_path: Path) -> None:
    call = pipeline.play(excerpt("moving_house", tmp_path, at_most_ms=60_000))
    call.wait_until_audio_at(15_000)
    pipeline.stack.restart("media_gateway")
    log = call.wait_until_complete()
    before = [u for u in log.finals() if u.end_ms < 15_000]
    after = [u for u in log.finals() if u.start_ms > 20_000]
    assert {u.role for u in before} == {u.role for u in after} == {"agent", "customer"}
    assert log.ended is not None
    assert log.ended.outcome is not None
    assert log.ended.outcome.reason in {"covered", "partly_covered"}
    assert log.ended.outcome.gap_ms > 0
    assert {leg.reason for leg in log.downs()} == {"gateway_died", "bye"}
    assert log.recording is not None
    assert log.recording.duration_ms >= call.conversation.duration_ms
    pipeline.stack.wait_until_ready()


def test_a_third_party_turns_the_call_into_one_mixed_stream(pipeline: Pipeline, tmp_path: Path) -> None:
    """Party supervision serves two participants; with a third the session is supervised, and nobody is guessed."""
    call = pipeline.play(excerpt("moving_house", tmp_path, at_most_ms=45_000), flow="conference", flow_at_ms=12_000)
    log = call.wait_until_complete()
    roles = [u.role for u in log.finals() if u.text]
    assert set(roles) >= {"agent", "customer", "mixed"}
    assert "unknown" not in roles
    assert log.recording is not None
    assert log.recording.layout == "stereo"
    assert log.ended is not None
    assert log.ended.outcome is not None
    assert log.ended.outcome.mixed_heard_ms > 0
