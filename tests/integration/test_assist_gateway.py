"""The assist gateway as a process: records on real topics reach a screen, a restart changes nothing for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.chassis.records import decode, header
from services.contracts.topics import ASSIST_FEEDBACK, AUDIT
from tests.support.brokers import Broker
from tests.support.gateway_process import ROOT, GatewayBench, example


@pytest.fixture
def bench(broker: Broker, topic_prefix: str, tmp_path: Path) -> GatewayBench:
    return GatewayBench(broker, topic_prefix, tmp_path)


def test_records_reach_screens_and_bad_ones_their_dead_letter_topic(bench: GatewayBench) -> None:
    bench.tell("calls.state", example("call-state", status="answered", agent_extension_id="7"))
    bench.tell("transcripts.final", example("utterance", utterance_id="u1", text="before"))
    with bench.gateway(), bench.screen("agent", extension_id="7") as screen:
        screen.send("watch", call_id="s-1")
        (call,) = screen.next_of("snapshot")["calls"]
        assert [utterance["text"] for utterance in call["utterances"]] == ["before"]
        assert call["state"]["status"] == "answered"
        bench.tell("transcripts.partial", b'{"half a rec')
        bench.tell("transcripts.partial", example("utterance", utterance_id="u2", is_final=False, text="live"))
        assert screen.next_of("utterance")["record"]["text"] == "live"
        bench.tell("assist.suggestions", example("suggestion", suggestion_id="s1"))
        assert screen.next_of("suggestion")["record"]["suggestion_id"] == "s1"
        screen.send("feedback", suggestion_id="s1", action="accepted")
        assert screen.next_of("feedback")["record"]["action"] == "accepted"
    (dead,) = bench.records_on("transcripts.partial.v1.dlq", 1)
    assert dead.value() == b'{"half a rec'
    assert header(dead.headers(), "dlq_reason") == "bad_json"  # type: ignore[arg-type]
    (feedback,) = bench.records_on(ASSIST_FEEDBACK.name, 1)
    assert decode(ASSIST_FEEDBACK, feedback.value()).by == "7"  # type: ignore[arg-type]
    (audit,) = bench.records_on(AUDIT.name, 1)
    assert decode(AUDIT, audit.value()).action == "watched"  # type: ignore[arg-type]


def test_supervisor_sees_the_groups_of_the_roster(bench: GatewayBench) -> None:
    for extension_id, permission in (("7", "monitored"), ("9", "monitoring")):
        groups = [{"group_id": "g1", "permissions": [permission]}]
        bench.tell("monitoring.roster", example("roster-entry", extension_id=extension_id, groups=groups), extension_id)
    bench.tell("calls.state", example("call-state", agent_extension_id="7"))
    bench.tell("calls.state", example("call-state", call_id="s-2", agent_extension_id="8"), "s-2")
    with bench.gateway(), bench.screen("supervisor", extension_id="9") as screen:
        screen.send("watch_all")
        assert [call["call_id"] for call in screen.next_of("snapshot")["calls"]] == ["s-1"]
        bench.tell("monitoring.roster", example("roster-entry", extension_id="9", groups=[]), "9")
        assert screen.next_of("gone")["call_id"] == "s-1"


def test_restart_rebuilds_what_screens_see(bench: GatewayBench) -> None:
    bench.tell("calls.state", example("call-state"))
    for number in range(3):
        bench.tell("transcripts.final", example("utterance", utterance_id=f"u{number}", text=str(number)))
    seen = []
    with bench.gateway() as process, bench.screen() as screen:
        screen.send("watch_all")
        seen.append(screen.next_of("snapshot"))
        process.kill()
        process.wait()
        screen.wait_until_closed()
    with bench.gateway(), bench.screen() as screen:
        screen.send("watch_all")
        seen.append(screen.next_of("snapshot"))
    assert len(seen[0]["calls"][0]["utterances"]) == 3
    assert seen[0]["calls"] == seen[1]["calls"]
    assert seen[0]["cursor"] == seen[1]["cursor"]  # offsets mean the same to every replica


def test_a_screen_that_does_not_read_is_told_what_was_skipped_and_gets_the_newest(bench: GatewayBench) -> None:
    bench.environ["ASSIST_GATEWAY_QUEUE_LIMIT"] = "10"
    bench.tell("calls.state", example("call-state", status="answered"))
    revisions, text = 1_500, "x" * 20_000  # more than all buffers on the way
    with bench.gateway(), bench.screen() as screen:
        screen.send("watch_all")
        screen.next_of("snapshot")
        for revision in range(revisions):
            partial = example("utterance", utterance_id="u1", revision=revision, is_final=False, text=text, words=[])
            bench.queue("transcripts.partial", json.dumps(partial).encode(), "s-1")
        bench.flush()
        while newest_revision(bench) < revisions - 1:
            time.sleep(0.05)
        skipped, seen = 0, [-1]
        while seen[-1] < revisions - 1:
            message = screen.receive()
            assert isinstance(message, dict)
            if message["type"] == "skipped":
                skipped += message["count"]
            elif message["type"] == "snapshot":
                seen += [utterance["revision"] for call in message["calls"] for utterance in call["utterances"]]
            else:
                seen.append(message["record"]["revision"])
    assert skipped > 0
    assert seen == sorted(set(seen))  # ever newer, none twice
    assert len(seen) < revisions


def newest_revision(bench: GatewayBench) -> int:
    with bench.get("/v1/calls/s-1", bench.token()) as answer:
        return max((utterance["revision"] for utterance in json.load(answer)["call"]["utterances"]), default=-1)


def test_taken_port_is_said_in_one_line(bench: GatewayBench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = bench.environ | {"ASSIST_GATEWAY_PORT": str(taken.getsockname()[1])}
        command = [sys.executable, "-m", "services.assist_gateway"]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith("ASSIST_GATEWAY_PORT: ")
    assert ended.stderr.count(b"\n") == 1
