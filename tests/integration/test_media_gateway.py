"""The media gateway against the simulator's SIP edge: a real SIP worker process, real sockets, real SRTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import confluent_kafka
import numpy as np
import pytest

from services.chassis.clock import SystemClock
from services.chassis.health import Health
from services.chassis.publisher import KafkaPublisher
from services.chassis.records import decode, decode_headers
from services.chassis.service import Service
from services.chassis.settings import ServiceSettings, load
from services.chassis.testing.fake_publisher import FakePublisher
from services.chassis.topic_admin import ensure_topics
from services.chassis.topic_view import TopicView
from services.contracts.records import AudioChunk, SupervisionEvent
from services.contracts.topics import AUDIO_CHUNKS, MEDIA_DEVICES, MEDIA_LEGS, SUPERVISION_EVENTS
from services.media_gateway.adapters.orphans import OpenLegs
from services.media_gateway.app import kafka_feeds, serve
from services.media_gateway.config import MediaGatewaySettings
from services.media_gateway.domain.correlation import Step
from services.media_gateway.domain.device import Proxy, SipCredentials
from services.media_gateway.gateway import Gateway
from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.g711 import encode_mu_law
from services.ringcentral_sim.sip.leg import SuperviseLeg
from services.ringcentral_sim.sip.options import Impairments, InviteRefused
from services.ringcentral_sim.sip.server import SipAddresses, SipOptions, SipServer, SuperviseOffer

pytest.importorskip("pjsua2")

DEVICE = "801000000001"
CALL = "s-a0d7f1c2z19a"
AGENT, CUSTOMER = "p-a0d7f1c2z19a-2", "p-a0d7f1c2z19a-1"
ACCOUNT = SipAccount(
    device_id=DEVICE, auth_id=DEVICE, user_name="15550100200", password="s3cr3t", domain="sip.example.test"
)


class Noise:
    """Known audio: never silent, different for every seed."""

    def __init__(self, seed: int, seconds: float) -> None:
        rng = np.random.default_rng(seed)
        self.samples = (rng.integers(500, 20000, round(seconds * 8000)) * rng.choice([-1, 1])).astype(np.int16)

    def read(self, position_samples: int, count: int) -> np.ndarray:
        return self.samples[position_samples : position_samples + count]

    @property
    def mu_law(self) -> bytes:
        return bytes(encode_mu_law(self.samples))


@dataclass
class Bench:
    server: SipServer
    publisher: Any
    stop: asyncio.Event
    addresses: SipAddresses
    gateways: list[Gateway] = field(default_factory=list)
    served: asyncio.Task[None] | None = None

    @property
    def gateway(self) -> Gateway:
        return self.gateways[0]

    async def until(self, condition, timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                assert self.served is None or not self.served.done() or self.stop.is_set(), self.served
                await asyncio.sleep(0.02)

    def expect(self, party_id: str, role: str, *, kind: str = "requested", supervisor_party_id: str = "") -> None:
        self.gateway.learn(
            Step(
                type=kind,
                call_id=CALL,
                mode="party",
                party_id=party_id,
                role=role,
                device_id=DEVICE,
                supervisor_extension_id="700200300",
                supervisor_party_id=supervisor_party_id,
                at_s=SystemClock().now().timestamp(),
            )
        )

    async def invite(self, monitored: str, own: str, **shape) -> SuperviseLeg:
        return await self.server.invite(
            SuperviseOffer(
                device_id=DEVICE,
                caller_number="+15550100111",
                supervisor_party_id=own,
                monitored_party_id=monitored,
                session_id=CALL,
                **shape,
            )
        )

    def chunks(self, party_id: str) -> list[tuple[AudioChunk, bytes]]:
        sent = [m for m in self.publisher.messages if m.topic.name == AUDIO_CHUNKS.name]
        read = [(decode_headers(AUDIO_CHUNKS, m.headers), m.value or b"") for m in sent]
        return [(chunk, audio) for chunk, audio in read if chunk.party_id == party_id]

    def ended(self, party_id: str) -> bool:
        chunks = self.chunks(party_id)
        return bool(chunks) and chunks[-1][0].end

    def legs(self, party_id: str) -> list:
        return [leg for leg in self.publisher.records(MEDIA_LEGS) if leg.party_id == party_id]


@contextlib.asynccontextmanager
async def bench(transport: str, kafka: Mapping[str, str] | None = None, **options) -> AsyncIterator[Bench]:
    """A simulator's SIP edge and a gateway registered on it; with `kafka` (settings) on a real broker."""
    server = SipServer(
        [ACCOUNT], host="127.0.0.1", udp_port=0, tcp_port=0, tls_port=0, options=SipOptions(max_expires_s=20, **options)
    )
    addresses = await server.start()
    try:
        async with gateway(server, transport, addresses, kafka) as run:
            yield run
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def gateway(
    server: SipServer, transport: str, addresses: SipAddresses, kafka: Mapping[str, str] | None = None
) -> AsyncIterator[Bench]:
    proxy = "{}:{}".format(*getattr(addresses, transport))
    first_port = random.randrange(20000, 60000, 2)
    settings = load(
        MediaGatewaySettings,
        {
            "MEDIA_GATEWAY_SIP_TRANSPORT": transport,
            "MEDIA_GATEWAY_TLS_VERIFY": "false",
            "MEDIA_GATEWAY_HOST": "127.0.0.1",
            "MEDIA_GATEWAY_RTP_PORT_FIRST": str(first_port),
            "MEDIA_GATEWAY_RTP_PORT_LAST": str(first_port + 400),
            "MEDIA_GATEWAY_SILENCE_MS": "700",
            "MEDIA_GATEWAY_DRAIN_S": "0.2",
            "RINGCENTRAL_CLIENT_ID": "unused",
            "RINGCENTRAL_CLIENT_SECRET": "unused",
            "RINGCENTRAL_JWT": "unused",
            **(kafka or {}),
        },
    )
    service = Service(
        name="media_gateway", settings=settings, health=Health(), clock=SystemClock(), stop=threading.Event()
    )
    publisher = KafkaPublisher(settings, service="media_gateway") if kafka else FakePublisher()
    run = Bench(server, publisher, asyncio.Event(), addresses)

    class Directory:
        async def sip_devices(self) -> list[SipCredentials]:
            return [
                SipCredentials(
                    device_id=DEVICE,
                    extension_id="700200300",
                    domain=ACCOUNT.domain,
                    user_name=ACCOUNT.user_name,
                    authorization_id=ACCOUNT.auth_id,
                    password=ACCOUNT.password,
                    proxies=(Proxy(region="NA", plain=proxy, tls=proxy),),
                )
            ]

    def feeds(gateway: Gateway, open_legs: OpenLegs) -> Sequence[TopicView]:
        run.gateways.append(gateway)
        return kafka_feeds(settings, publisher, gateway, open_legs) if kafka else ()

    run.served = asyncio.create_task(serve(service, run.publisher, Directory(), feeds, run.stop))
    try:
        await run.until(lambda: server.is_registered(DEVICE))
        yield run
    finally:
        run.stop.set()
        await run.served
        if kafka:
            assert publisher.close()


async def play(run: Bench, legs: Sequence[tuple[SuperviseLeg, Noise]]) -> None:
    start_at = asyncio.get_running_loop().time() + 0.3
    for leg, noise in legs:
        assert await leg.latched(5.0)
        leg.play(noise, start_at)
    await asyncio.sleep(max(len(noise.samples) for _, noise in legs) / 8000 + 0.5)


@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_both_speakers_arrive_whole_from_the_first_sample_to_the_last(transport: str) -> None:
    agent, customer = Noise(1, 2.51), Noise(2, 2.0)
    async with bench(transport) as run:
        run.expect(AGENT, "agent")
        run.expect(CUSTOMER, "customer")
        first = await run.invite(AGENT, "p-own-3")
        second = await run.invite(CUSTOMER, "p-own-4", headers="reordered")
        await play(run, [(first, agent), (second, customer)])
        await asyncio.gather(first.bye(), second.bye())
        await run.until(lambda: run.ended(AGENT) and run.ended(CUSTOMER) and len(run.legs(AGENT)) == 3)

        for leg, noise, party, role in ((first, agent, AGENT, "agent"), (second, customer, CUSTOMER, "customer")):
            chunks = run.chunks(party)
            heard = b"".join(audio for _, audio in chunks)
            assert noise.mu_law in heard
            assert len(heard) == leg.packets_sent * 160, "every packet that was sent is there"
            assert [chunk.sequence for chunk, _ in chunks] == list(range(len(chunks)))
            assert {(chunk.call_id, chunk.role, chunk.role_source) for chunk, _ in chunks} == {
                (CALL, role, "party_supervision")
            }
            assert all(chunk.gap_before_ms == 0 for chunk, _ in chunks)
            assert [chunk.duration_ms for chunk, _ in chunks[:-2]] == [200] * (len(chunks) - 2)
            down = run.legs(party)[-1]
            assert [step.type for step in run.legs(party)] == ["invited", "up", "down"]
            assert (down.reason, down.packets_lost, down.lost_ms) == ("bye", 0, 0)
            assert down.packets_received == leg.packets_sent
            assert down.received_ms * 8 == len(heard)
        epochs = {leg.epoch for leg in run.publisher.records(MEDIA_LEGS) if leg.type != "invited"}
        assert len(epochs) == 1, "both legs share the call's clock"
        start = {p: _start_ms(run.chunks(p), n) for p, n in ((AGENT, agent), (CUSTOMER, customer))}
        assert abs(start[AGENT] - start[CUSTOMER]) <= 60, "what was said at once stands at one time"


def _start_ms(chunks: Sequence[tuple[AudioChunk, bytes]], noise: Noise) -> int:
    """Where on the media clock the known audio begins."""
    heard = b"".join(audio for _, audio in chunks)
    return chunks[0][0].media_time_ms + heard.index(noise.mu_law) // 8


async def test_an_invite_that_beats_the_event_is_unknown_until_the_event_names_it() -> None:
    async with bench("tcp") as run:
        leg = await run.invite(AGENT, "p-own-3")
        await run.until(lambda: len(run.chunks(AGENT)) >= 2)
        run.expect(AGENT, "agent", kind="accepted", supervisor_party_id="p-own-3")
        before = len(run.chunks(AGENT))
        await run.until(lambda: len(run.chunks(AGENT)) >= before + 2)
        await leg.bye()
        await run.until(lambda: run.ended(AGENT))
        roles = [chunk.role for chunk, _ in run.chunks(AGENT)]
        assert roles[0] == "unknown"
        assert roles[-1] == "agent"
        assert roles == sorted(roles, reverse=True), "once known it stays known"


async def test_an_invite_without_ids_goes_to_the_one_request_that_is_pending() -> None:
    async with bench("udp") as run:
        with pytest.raises(InviteRefused) as refused:
            await run.invite(AGENT, "p-own-3", headers="omitted")
        assert refused.value.status == 603
        run.expect(AGENT, "agent")
        leg = await run.invite(AGENT, "p-own-3", headers="omitted")
        await run.until(lambda: bool(run.chunks(AGENT)))
        assert run.chunks(AGENT)[0][0].role == "agent"
        await leg.bye()


async def test_a_lossy_network_leaves_gaps_that_are_told_and_nothing_made_up() -> None:
    noise = Noise(5, 4.0)
    async with bench("tls") as run:
        run.expect(AGENT, "agent")
        leg = await run.invite(AGENT, "p-own-3")
        assert await leg.latched(5.0)
        leg.impair(Impairments(loss=0.05, reorder=0.1, jitter_ms=10, seed=7))
        await play(run, [(leg, noise)])
        leg.impair(Impairments())
        await asyncio.sleep(0.3)
        await leg.bye()
        await run.until(lambda: run.legs(AGENT)[-1].type == "down")
        down = run.legs(AGENT)[-1]
        assert leg.packets_lost > 0
        assert down.packets_lost == leg.packets_lost
        assert down.lost_ms == leg.packets_lost * 20
        chunks = [chunk for chunk, _ in run.chunks(AGENT)]
        assert sum(chunk.gap_before_ms for chunk in chunks) == down.lost_ms
        ends = [chunk.media_time_ms + chunk.duration_ms for chunk in chunks]
        assert [c.media_time_ms - e for c, e in zip(chunks[1:], ends, strict=False)] == [
            c.gap_before_ms for c in chunks[1:]
        ]


@pytest.mark.parametrize(
    ("transport", "shape"), [("udp", "late_offer"), ("tls", "late_offer"), ("tls", "two_media_lines")]
)
async def test_the_shapes_an_invite_comes_in(transport: str, shape: str) -> None:
    noise = Noise(3, 1.0)
    async with bench(transport) as run:
        run.expect(AGENT, "agent")
        leg = await run.invite(AGENT, "p-own-3", **{shape: True})
        line = 1 if shape == "two_media_lines" else 0  # the first of the two carries our own party
        start_at = asyncio.get_running_loop().time() + 0.5
        leg.play(noise, start_at, line=line)
        await asyncio.sleep(2.0)
        await leg.bye()
        await run.until(lambda: run.ended(AGENT))
        assert noise.mu_law in b"".join(audio for _, audio in run.chunks(AGENT))
        assert {chunk.role for chunk, _ in run.chunks(AGENT)} == {"agent"}


async def test_a_killed_sip_worker_registers_again_and_its_legs_are_reported_down() -> None:
    async with bench("tls") as run:
        run.expect(AGENT, "agent")
        await run.invite(AGENT, "p-own-3")
        await run.until(lambda: bool(run.chunks(AGENT)))
        device = run.gateway._devices[DEVICE]
        pid = device.worker.pid
        os.kill(pid, signal.SIGKILL)
        await run.until(lambda: run.ended(AGENT) and run.legs(AGENT)[-1].type == "down")
        assert run.legs(AGENT)[-1].reason == "worker_died"
        await run.until(lambda: device.online and device.worker.pid not in (None, pid))
        states = [(d.online, d.free_slots, d.reason) for d in run.publisher.records(MEDIA_DEVICES)]
        assert (False, 0, "worker_died") in states
        assert states[-1][:2] == (True, 4)
        run.expect(CUSTOMER, "customer")
        leg = await run.invite(CUSTOMER, "p-own-5")
        await run.until(lambda: bool(run.chunks(CUSTOMER)))
        await leg.bye()


async def test_a_reset_connection_is_registered_anew_while_the_audio_goes_on() -> None:
    async with bench("tls") as run:
        run.expect(AGENT, "agent")
        leg = await run.invite(AGENT, "p-own-3")
        await run.until(lambda: bool(run.chunks(AGENT)))
        run.server.drop_connections(DEVICE)
        await run.until(lambda: not run.server.is_registered(DEVICE))
        await run.until(lambda: run.server.is_registered(DEVICE))
        before = len(run.chunks(AGENT))
        await run.until(lambda: len(run.chunks(AGENT)) >= before + 3)
        assert leg.packets_sent > 0
        run.expect(CUSTOMER, "customer")
        second = await run.invite(CUSTOMER, "p-own-4")
        await run.until(lambda: bool(run.chunks(CUSTOMER)))
        await second.bye()


async def test_a_stop_ends_the_calls_with_all_their_audio_and_unregisters() -> None:
    async with bench("tcp") as run:
        run.expect(AGENT, "agent")
        leg = await run.invite(AGENT, "p-own-3")
        await run.until(lambda: len(run.chunks(AGENT)) >= 2)
        run.stop.set()
        assert await leg.ended() == "bye_received"
        await run.served
        assert run.chunks(AGENT)[-1][0].end
        assert run.legs(AGENT)[-1].type == "down"
        assert run.legs(AGENT)[-1].reason == "shutdown"
        assert not run.server.is_registered(DEVICE)
        last = run.publisher.records(MEDIA_DEVICES)[-1]
        assert (last.online, last.free_slots) == (False, 0)


class Reader:
    """Reads whole topics, from their beginnings."""

    def __init__(self, kafka: Mapping[str, str], *topics: str) -> None:
        self._topics = [kafka["EARSHOT_TOPIC_PREFIX"] + name for name in topics]
        options = {
            "bootstrap.servers": kafka["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "unused",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        self._consumer = confluent_kafka.Consumer(options)
        self.messages: list[confluent_kafka.Message] = []

    def open(self) -> None:
        places = [
            confluent_kafka.TopicPartition(name, partition, confluent_kafka.OFFSET_BEGINNING)
            for name in self._topics
            for partition in self._consumer.list_topics(name, timeout=10).topics[name].partitions
        ]
        self._consumer.assign(places)

    def poll(self) -> None:
        while (message := self._consumer.poll(0)) is not None:
            assert message.error() is None
            self.messages.append(message)

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def kafka(kafka_bootstrap: str, topic_prefix: str) -> dict[str, str]:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "EARSHOT_TOPIC_PREFIX": topic_prefix}
    topics = (AUDIO_CHUNKS, MEDIA_DEVICES, MEDIA_LEGS, SUPERVISION_EVENTS)
    ensure_topics(load(ServiceSettings, environ), topics=topics, partitions=3, replication=1)
    return environ


async def test_on_kafka_a_restart_keeps_the_calls_clock_and_poison_goes_to_the_dead_letters(
    kafka: dict[str, str],
) -> None:
    orchestrator = KafkaPublisher(load(ServiceSettings, kafka), service="test")
    requested = SupervisionEvent(
        event_id="1",
        call_id=CALL,
        type="requested",
        at=SystemClock().now(),
        party_id=AGENT,
        role="agent",
        queue_id="62001",
        device_id=DEVICE,
    )
    orchestrator.publish_value(SUPERVISION_EVENTS, CALL, b'{"type":"nonsense"}', event_id="0")
    orchestrator.publish(SUPERVISION_EVENTS, CALL, requested, event_id="1")
    assert orchestrator.close()
    chunks, legs, dead = (
        Reader(kafka, name) for name in (AUDIO_CHUNKS.name, MEDIA_LEGS.name, f"{SUPERVISION_EVENTS.name}.dlq")
    )
    for reader in (chunks, legs, dead):
        await asyncio.to_thread(reader.open)

    def heard() -> list[tuple[AudioChunk, bytes]]:
        chunks.poll()
        return [(decode_headers(AUDIO_CHUNKS, m.headers()), m.value() or b"") for m in chunks.messages]

    noise = Noise(9, 1.0)
    async with bench("udp", kafka) as run:
        leg = await run.invite(AGENT, "p-own-3", headers="omitted")
        await play(run, [(leg, noise)])
        await leg.bye()
        await run.until(lambda: any(chunk.end for chunk, _ in heard()))
        first = heard()
        assert noise.mu_law in b"".join(audio for _, audio in first)
        assert {(chunk.role, chunk.party_id, chunk.queue_id) for chunk, _ in first} == {("agent", AGENT, "62001")}
        assert {m.key() for m in chunks.messages} == {CALL.encode()}
        run.stop.set()
        await run.served
        async with gateway(run.server, "udp", run.addresses, kafka) as again:
            leg = await again.invite(CUSTOMER, "p-own-4")
            await again.until(lambda: len(heard()) > len(first) + 1)
            await leg.bye()
            await again.until(lambda: sum(chunk.end for chunk, _ in heard()) == 2)
    second = heard()[len(first) :]
    assert {chunk.epoch for chunk, _ in second} == {first[0][0].epoch}, "the call's clock goes on"
    assert second[0][0].media_time_ms > first[-1][0].media_time_ms
    dead.poll()
    assert [m.value() for m in dead.messages] == [b'{"type":"nonsense"}'] * 2, "each life reads it once"
    legs.poll()
    steps = [decode(MEDIA_LEGS, m.value()).type for m in legs.messages]
    assert steps == ["invited", "up", "down"] * 2
    for reader in (chunks, legs, dead):
        reader.close()
