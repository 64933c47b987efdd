"""Two assist gateways with an identity provider: a screen whose gateway is killed goes on at the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import confluent_kafka
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed

from tests.support.brokers import Broker
from tests.support.gateway_process import GatewayBench, Screen, example, free_ports

CALLS = ("s-1", "s-2", "s-3")
UTTERANCES = 40


class Provider:
    """An OIDC provider on this machine: a discovery document and a set with one key."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(provider.document(self.path)).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Not news."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realm"

    def document(self, path: str) -> dict[str, Any]:
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        entry = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [entry | {"kid": "k1", "use": "sig", "alg": "ES256"}]}

    def token(self, claims: dict[str, Any]) -> str:
        told = {"iss": self.issuer, "aud": "earshot"} | claims
        return jwt.encode(told, self.key, algorithm="ES256", headers={"kid": "k1"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    threading.Thread(target=provider.server.serve_forever, daemon=True).start()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


class Speech(threading.Thread):
    """Calls that go on: partials by one producer, finals in transactions by another, as the transcriber does."""

    def __init__(self, bench: GatewayBench) -> None:
        super().__init__(daemon=True)
        self._bench = bench
        self._finals = confluent_kafka.Producer(
            bench.settings.kafka_options() | {"transactional.id": f"{bench.prefix}finals"}
        )
        self.told = threading.Semaphore(0)

    def run(self) -> None:
        self._finals.init_transactions(30)
        for number in range(UTTERANCES):
            for call_id in CALLS:
                at = {"call_id": call_id, "utterance_id": f"{call_id}@{number}", "words": []}
                self._bench.tell("transcripts.partial", example("utterance", **at, text="…", is_final=False), call_id)
                final = example("utterance", **at, text=f"{call_id} {number}", is_final=True, revision=9)
                self._finals.begin_transaction()
                self._finals.produce(
                    f"{self._bench.prefix}transcripts.final.v1", key=call_id, value=json.dumps(final).encode()
                )
                self._finals.commit_transaction(30)
            self.told.release()


class Console:
    """Keeps calls and a cursor as PROTOCOL.md asks of a screen; fails when it is told anything twice."""

    def __init__(self) -> None:
        self.texts: dict[str, dict[str, str]] = {}
        self.cursor: dict[str, int] = {}
        self.resumed = self.snapshots = self.updates = 0

    def read(self, screen: Screen, until: int) -> None:
        """Until so many finals are known; raises ConnectionClosed."""
        while sum(not text.startswith("…") for call in self.texts.values() for text in call.values()) < until:
            message = screen.receive()
            assert isinstance(message, dict)
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "snapshot":
                self.snapshots += 1
                assert message["complete"] or not self.resumed
                self.cursor = message["cursor"] if message["complete"] else self.cursor | message["cursor"]
                for call in message["calls"]:
                    self.texts[call["call_id"]] = {u["utterance_id"]: u["text"] for u in call["utterances"]}
            case "resumed":
                self.resumed += 1
                self.cursor = message["cursor"]
            case "utterance":
                self._move(message["at"])
                record = message["record"]
                known = self.texts[message["call_id"]].get(record["utterance_id"], "…")
                if known == "…":  # a final stands
                    self.texts[message["call_id"]][record["utterance_id"]] = record["text"]
                self.updates += 1
            case "welcome":
                pass
            case _:
                if "at" in message:
                    self._move(message["at"])

    def _move(self, at: str) -> None:
        lane, _, offset = at.rpartition(":")
        assert int(offset) > self.cursor.get(lane, -1), "told twice"
        self.cursor[lane] = int(offset)


@contextmanager
def replicas(bench: GatewayBench) -> Iterator[tuple[Any, int]]:
    """A gateway on the bench's own port, and another on a second one."""
    port, health_port = free_ports()
    with bench.gateway(port, health_port), bench.gateway() as first:
        yield first, port


def test_a_screen_goes_on_at_another_replica_with_nothing_missing_and_nothing_twice(
    broker: Broker, topic_prefix: str, tmp_path: Path, provider: Provider
) -> None:
    bench = GatewayBench(broker, topic_prefix, tmp_path)
    bench.make_token = provider.token
    bench.environ |= {
        "ASSIST_GATEWAY_JWT_KEY": "", "ASSIST_GATEWAY_JWT_ISSUER": provider.issuer,
        "ASSIST_GATEWAY_JWT_AUDIENCE": "earshot",
    }  # fmt: skip
    for extension_id, permission in (("7", "monitored"), ("9", "monitoring")):
        groups = [{"group_id": "g1", "permissions": [permission]}]
        bench.tell("monitoring.roster", example("roster-entry", extension_id=extension_id, groups=groups), extension_id)
    for call_id in CALLS:
        bench.tell("calls.state", example("call-state", call_id=call_id, agent_extension_id="7"), call_id)
    console, speech = Console(), Speech(bench)
    with replicas(bench) as (first, other_port):
        with bench.screen("supervisor", extension_id="9") as screen:
            screen.send("watch_all", detail="full")
            speech.start()
            console.read(screen, until=3 * 5)
            first.kill()
            with pytest.raises(ConnectionClosed):
                console.read(screen, until=10_000)
        for _ in range(10):  # it is away for a while
            assert speech.told.acquire(timeout=60)
        before = console.updates
        with bench.screen("supervisor", port=other_port, extension_id="9") as screen:
            screen.send("resume", cursor=console.cursor, calls=dict.fromkeys(CALLS, "full"), watch_all="full", watch=[])
            console.read(screen, until=len(CALLS) * UTTERANCES)
        bench.make_token = lambda claims: jwt.encode(claims, "k" * 32, algorithm="HS256")
        with bench.screen(port=other_port) as screen:  # the provider's gateways know no secret
            assert screen.next_of("error")["code"] == "token_invalid"
    assert (console.resumed, console.snapshots) == (1, 1)
    assert console.updates > before
    assert console.texts == {
        call_id: {f"{call_id}@{number}": f"{call_id} {number}" for number in range(UTTERANCES)} for call_id in CALLS
    }
    speech.join(30)
