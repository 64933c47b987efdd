"""Real Apache Kafka for the integration tests, without containers.

`ApacheKafka` is one KRaft node (broker and controller in one process) whose jars Maven resolves once into
`.run/kafka/libs` from `infra/kafka/pom.xml`. It needs Java 17 or newer; `why_no_apache_kafka` says what is
missing.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.cli.adapters.child_process import ChildProcess

REPOSITORY = Path(__file__).resolve().parents[2]
POM = REPOSITORY / "infra" / "kafka" / "pom.xml"
LIBS = REPOSITORY / ".run" / "kafka" / "libs"
MINIMUM_JAVA = 17
READY_TIMEOUT_S = 60.0
RESOLVE_TIMEOUT_S = 600.0

_SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""

# Java reads the file through a URI, so log4j finds it wherever the working directory is.
_LOG4J = """\
<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class BrokerUnavailableError(RuntimeError):
    """The broker could not be resolved or did not start; the message says which and why."""


def kafka_version() -> str:
    """Version of Apache Kafka the pom asks for."""
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = ET.parse(POM).findtext(".//m:kafka.version", namespaces=namespace)
    if not version:
        raise BrokerUnavailableError(f"{POM} has no kafka.version property")
    return version


def why_no_apache_kafka() -> str | None:
    """None where real Kafka can be started, else what is missing, in a few words."""
    java = _java_major()
    if java is None:
        return "Java missing"
    if java < MINIMUM_JAVA:
        return f"Java {java} found, {MINIMUM_JAVA} needed"
    if shutil.which("mvn") is None and not _libs_are_current():
        return "Maven missing"
    return None


def resolve_libs() -> Path:
    """Folder with Kafka's jars; runs Maven unless they are already there. Raises BrokerUnavailableError."""
    if _libs_are_current():
        return LIBS
    shutil.rmtree(LIBS, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={LIBS}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RESOLVE_TIMEOUT_S)
    if result.returncode != 0:
        errors = [line for line in result.stdout.splitlines() if "ERROR" in line][:3]
        raise BrokerUnavailableError("Maven could not resolve Apache Kafka: " + " ".join(errors))
    return LIBS


class ApacheKafka:
    """One KRaft node on free ports of 127.0.0.1, data below `folder`; starts and stops as often as asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller_port = _free_ports(2)
        self._process: ChildProcess | None = None
        self.bootstrap_servers = f"127.0.0.1:{self._port}"

    @staticmethod
    def name() -> str:
        """What the tests call it on the terminal."""
        return f"Apache Kafka {kafka_version()} (KRaft)"

    def start(self) -> None:
        """Format the storage if it is new, start the node and wait until it answers. Keeps ports and data."""
        libs = resolve_libs()
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        log4j = self._folder / "log4j2.xml"
        log_path = self._folder / "kafka.log"
        if not properties.exists():
            data = self._folder / "data"
            properties.write_text(
                _SERVER_PROPERTIES.format(port=self._port, controller_port=self._controller_port, data=data)
            )
            log4j.write_text(_LOG4J)
            self._format(libs, properties)
        command = [*_java(libs, log4j), "-Xmx512m", "kafka.Kafka", str(properties)]
        self._process = ChildProcess.start(command, log_path=log_path, env=os.environ)
        wait_until_ready(self.bootstrap_servers, self._process, READY_TIMEOUT_S)

    def stop(self) -> None:
        """Clean shutdown; killed after 15 s."""
        if self._process is not None:
            self._process.stop(grace_s=15.0)

    def kill(self) -> None:
        """SIGKILL, as a machine that dies would."""
        if self._process is not None:
            self._process.kill()

    def _format(self, libs: Path, properties: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*_java(libs, None), "-Xmx256m", "kafka.tools.StorageTool", "format"]
        command += [f"--cluster-id={cluster_id}", "-c", str(properties)]  # an id may begin with a dash
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if result.returncode != 0:
            raise BrokerUnavailableError(f"formatting Kafka's storage failed: {result.stderr[-600:]}")


def wait_until_ready(bootstrap_servers: str, process: ChildProcess, timeout_s: float) -> None:
    """Return once the broker answers a metadata request; else BrokerUnavailableError with the log's end."""
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.exit_code() is not None:
            break
        try:
            if client.list_topics(timeout=1.0).brokers:
                return
        except KafkaException:
            time.sleep(0.1)
    process.kill()
    raise BrokerUnavailableError(f"the broker did not become ready\n{process.log_tail()}")


def _java(libs: Path, log4j: Path | None) -> list[str]:
    command = ["java", "-cp", f"{libs}/*", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return command if log4j is None else [*command, f"-Dlog4j2.configurationFile={log4j.as_uri()}"]


def _java_major() -> int | None:
    if shutil.which("java") is None:
        return None
    result = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False, timeout=30)
    match = re.search(r'version "(?:1\.)?(\d+)', result.stderr + result.stdout)
    return int(match.group(1)) if match else None


def _libs_are_current() -> bool:
    return (LIBS / f"kafka_2.13-{kafka_version()}.jar").exists()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [int(held.getsockname()[1]) for held in sockets]
    finally:
        for held in sockets:
            held.close()
