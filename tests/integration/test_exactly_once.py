"""Two transcribers that are killed again and again publish what one that is left alone does: each final once."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.brokers import Broker
from tests.support.transcription import Group, Kill, Killing, call_ids, play

PARTITIONS = 4
CALLS = 4
DURATION_MS = 150_000
SPEED = 5
WAIT_S = 60.0
SESSION = '{"session.timeout.ms": 4000, "heartbeat.interval.ms": 800}'
# The second stays away for longer than a session: its partitions move to the other worker, and back.
KILLS = [Kill(4.0, 0), Kill(8.0, 1, away_s=8.0), Kill(19.0, 0), Kill(23.0, 1), Kill(25.0, 0)]


@pytest.mark.timeout(400)
def test_what_is_published_under_kills_and_rebalances_is_what_is_published_without(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    if broker.embedded:
        pytest.skip("the embedded broker carries one member per group")
    calm = Group(broker.bootstrap_servers, f"{topic_prefix}calm.", PARTITIONS)
    killed = Group(broker.bootstrap_servers, f"{topic_prefix}killed.", PARTITIONS)
    module, options = "tests.support.scripted_transcriber", {"KAFKA_CLIENT_OPTIONS": SESSION}
    try:
        calm.add_worker("calm-0", module=module, folder=tmp_path)
        for number in range(2):
            killed.add_worker(f"killed-{number}", module=module, folder=tmp_path, **options)
        for worker in (*calm.workers, *killed.workers):
            worker.start()
        killing = Killing(killed, KILLS)
        began_s = time.monotonic()
        play([calm, killed], call_ids(CALLS, PARTITIONS), DURATION_MS, speed=SPEED, killing=killing)
        expected = calm.outcome(2 * CALLS, within_s=WAIT_S)
        found = killed.outcome(2 * CALLS, within_s=WAIT_S, tend=lambda: killing.tend(time.monotonic() - began_s))
    finally:
        calm.close()
        killed.close()
    assert len(killing.done) == len(KILLS)
    assert len(expected.finals) > 100
    assert len(found.finals) == len(found.utterances())
    assert found.utterances() == expected.utterances()
    assert found.leg_counts() == expected.leg_counts()
    assert [leg.status for leg in found.legs] == ["complete"] * 2 * CALLS
    for leg in {u.leg_id for u in found.finals}:
        mine = sorted((u for u in found.finals if u.leg_id == leg), key=lambda u: u.start_ms)
        assert all(one.end_ms <= other.start_ms for one, other in pairwise(mine))
    moved = [entry for worker in killed.workers for entry in worker.told("partitions_revoked")]
    assert any(not entry["lost"] and entry["count"] < PARTITIONS for entry in moved)
