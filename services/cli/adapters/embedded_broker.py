"""The broker that `make demo` runs on where no Kafka is named: `noida-db`, one process from a wheel, on
127.0.0.1.

It stands in for Apache Kafka for one machine and one member per consumer group, no more. Shown with 0.2.3 by
tests/integration/test_broker_contract.py: topics with partitions and configs, headers, keys and timestamps,
groups, commits with their metadata, end offsets and offsets by time, transactions (aborted records stay
hidden from read_committed readers), Faust workers with tables.

What a client of it must set:

* every group consumer: `partition.assignment.strategy=range` (cooperative-sticky waits for ever) and
  `group.protocol=classic`, librdkafka's default (the newer protocol was not tried);
* every group consumer: `group.instance.id`, fixed per member. A member that was killed is never timed out:
  without a fixed id its group is stuck, with one the restarted member takes its own place at once;
* Faust: `create_app(embedded=True)` of services.chassis.faust_app, which sets the fixed instance id.

It answers a fetch at once also where there is nothing to read, whatever `fetch.wait.max.ms` says: an idle consumer
asks some ten thousand times a second, which costs it and the broker about a third of a core each. Pausing partitions
between reads saves that and makes records seconds late, so it is not done.

Two members in one group are not carried: scale on Apache Kafka. Data lie below `data_dir`; a demo starts from
an empty one, because groups of an earlier run would come back with it.

Errors: EmbeddedBrokerError > EmbeddedBrokerMissingError (not installed), EmbeddedBrokerStartError (did not
answer). Each message is one line that says what to do.
"""

from __future__ import annotations

import importlib.resources
import os
import socket
import stat
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.cli.adapters.child_process import ChildProcess

NAME = "noida-db"
READY_TIMEOUT_S = 20.0
_REMEDY = "set KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own"


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker cannot serve; the message is one line for the terminal."""


class EmbeddedBrokerMissingError(EmbeddedBrokerError):
    """Its package is not installed, or has no program for this machine."""


class EmbeddedBrokerStartError(EmbeddedBrokerError):
    """It was started and ended, or did not answer in time."""


class EmbeddedBroker:
    """One broker process. `start` and `stop` from the main thread; it dies with this process in any case."""

    def __init__(self, *, data_dir: Path, log_path: Path, port: int = 0) -> None:
        """`port` 0 takes a free one, kept over restarts."""
        self._data_dir = data_dir
        self._log_path = log_path
        self._port = port or _free_port()
        self._process: ChildProcess | None = None
        self.bootstrap_servers = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and return once it answers a metadata request. Raises EmbeddedBrokerError."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        command = [str(_program()), "start", "--data-dir", str(self._data_dir), "--host", "127.0.0.1"]
        command += ["--only", "kafka", "--kafka-port", str(self._port)]
        self._process = ChildProcess.start(command, log_path=self._log_path, env=os.environ)
        _wait_until_ready(self.bootstrap_servers, self._process)

    def exit_code(self) -> int | None:
        """None while it runs or before it was started."""
        return None if self._process is None else self._process.exit_code()

    def stop(self) -> None:
        """Stop it, killed after 5 s; records are kept below `data_dir`."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()


def why_missing() -> str | None:
    """None where the embedded broker is installed, else one line saying what to do."""
    try:
        _program()
    except EmbeddedBrokerMissingError as error:
        return str(error)
    return None


def _program() -> Path:
    name = "noida-db.exe" if os.name == "nt" else "noida-db"
    try:
        program = Path(str(importlib.resources.files("noida_db").joinpath(name)))
    except ModuleNotFoundError:
        raise EmbeddedBrokerMissingError(
            f"the embedded broker is not installed: install the `cli` extra (package {NAME}), or {_REMEDY}"
        ) from None
    if not program.is_file():
        raise EmbeddedBrokerMissingError(f"{NAME} has no program for this machine: {_REMEDY}")
    if not os.access(program, os.X_OK):  # a wheel unpacked without its modes
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def _wait_until_ready(bootstrap_servers: str, process: ChildProcess) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.exit_code() is None:
        try:
            if client.list_topics(timeout=1.0).brokers:
                return
        except KafkaException:
            time.sleep(0.05)
    code = process.exit_code()
    process.kill()
    how = f"did not answer within {READY_TIMEOUT_S:.0f} s" if code is None else f"ended with exit code {code}"
    raise EmbeddedBrokerStartError(
        f"the embedded broker {how} on {bootstrap_servers}: see {process.log_path}, or {_REMEDY}"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
