"""A running pipeline: real broker, simulator, every service a process; and calls played through it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cli.adapters.audio_file import open_conversation
from services.cli.adapters.call_follower import CallFollower
from services.cli.adapters.simulator import Simulator
from services.cli.adapters.stack import Stack, free_port
from services.cli.domain.conversation import Conversation
from services.cli.domain.result import problems_of, result_of
from services.cli.domain.transcript import CallLog
from tests.support.brokers import Broker


@dataclass(slots=True)
class Pipeline:
    """The running stack, with what the tests do to it."""

    stack: Stack
    simulator: Simulator
    crm_port: int
    """The port of another system's page: the gateway allows it to embed calls."""

    def play(self, audio: Path, **options: object) -> PlayedCall:
        """Start a call and follow it; `options` as the simulator has them."""
        conversation = open_conversation(audio)
        follower = CallFollower(self.stack.settings, lambda _: None)
        follower.start()
        log = follower.follow(self.simulator.play(conversation.path, **options))
        return PlayedCall(self, conversation, follower, log)


@dataclass(slots=True)
class PlayedCall:
    """A call in progress."""

    pipeline: Pipeline
    conversation: Conversation
    follower: CallFollower
    log: CallLog

    def wait_until_audio_at(self, position_ms: int) -> None:
        """Until the conversation has sounded for so long."""
        deadline = time.monotonic() + 60
        while (started := self.pipeline.simulator.audio_started_at(self.log.call_id)) is None:
            assert time.monotonic() < deadline, "the conversation never began"
            time.sleep(0.1)
        time.sleep(max(0.0, started.timestamp() + position_ms / 1000 - time.time()))

    def wait_until_complete(self, grace_s: float = 60.0) -> CallLog:
        """Until nothing more is to come."""
        deadline = time.monotonic() + self.conversation.duration_ms / 1000 + grace_s
        try:
            while not self.log.is_complete():
                assert self.pipeline.stack.died() is None, self.pipeline.stack.died()
                assert time.monotonic() < deadline, f"did not arrive: {self.log.missing()}"
                time.sleep(0.2)
            time.sleep(1.0)  # what should not come twice gets the chance to
            return self.log
        finally:
            self.follower.stop()

    def problems(self) -> tuple[list[str], dict[str, object]]:
        """What speaks against the call having been understood, and the figures."""
        result = result_of(self.log, self.conversation, self.pipeline.simulator.audio_started_at(self.log.call_id))
        return problems_of(result, self.conversation, self.log), result


@contextmanager
def running_pipeline(broker: Broker, folder: Path) -> Iterator[Pipeline]:
    """The pipeline, ready; its data below `folder`; gone afterwards."""
    crm_port = free_port()
    environ = dict(os.environ) | {
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": f"e2e{os.getpid()}.",
        "RECORDER_IDLE_MS": "60000",
        "ASSIST_GATEWAY_ALLOWED_ORIGINS": f"http://127.0.0.1:{crm_port}",
        # RingCentral allows five logins a minute and user, and ten readings of the call log: restarting every service
        # within one would exceed them.
        "RINGCENTRAL_SIM_RATE_AUTH": "60",
        "RINGCENTRAL_SIM_RATE_HEAVY": "60",
    }
    if broker.embedded:
        environ |= Stack.EMBEDDED_BROKER_SETTINGS
    stack = Stack(folder, print, environ)
    try:
        stack.start()
        yield Pipeline(stack, Simulator(stack.simulator_url), crm_port)
    finally:
        stack.stop()
