from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from services.chassis.health import Health
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import MEDIA_DEVICES, MEDIA_LEGS
from services.media_gateway.adapters.rtp_leg import LegFinished, LegGap, LegHeard, LegOpening, LegSilent
from services.media_gateway.domain import sip_link
from services.media_gateway.domain.correlation import Identity, Role, Step
from services.media_gateway.domain.device import Proxy, SipCredentials
from services.media_gateway.domain.leg_stream import StreamCounts
from services.media_gateway.gateway import Device, Gateway

CALL, AGENT, OWN = "s-1", "p-1-2", "p-1-3"
CREDENTIALS = SipCredentials(
    device_id="801",
    extension_id="700",
    domain="sip.example.test",
    user_name="15550100200",
    authorization_id="801",
    password="s3cr3t",
    proxies=(Proxy(region="NA", plain="192.0.2.9:5090", tls="192.0.2.9:5096"),),
)


class FakeReceiver:
    """Ports from 30000 on; keeps what it is asked."""

    def __init__(self) -> None:
        self.next_port = 30000
        self.handed_back: list[int] = []
        self.attached: dict[int, LegOpening] = {}
        self.identified: list[tuple[int, str]] = []
        self.released: list[tuple[int, str]] = []
        self.epochs: dict[str, int] = {}

    def lease(self) -> int | None:
        self.next_port += 2
        return self.next_port - 2

    def hand_back(self, port: int) -> None:
        self.handed_back.append(port)

    def drain(self, port: int) -> None:
        pass

    def attach(self, port: int, opening: LegOpening) -> None:
        self.attached[port] = opening

    def identify(self, port: int, identity: Identity) -> None:
        self.identified.append((port, identity.role))

    def release(self, port: int, reason: str) -> None:
        self.released.append((port, reason))

    def recall_epoch(self, call_id: str, epoch_ms: int) -> None:
        self.epochs[call_id] = epoch_ms


class FakeWorker:
    """Keeps the lines."""

    def __init__(self) -> None:
        self.sent: list[sip_link.Message] = []

    def send(self, message: sip_link.Message) -> None:
        self.sent.append(sip_link.decode_to_worker(sip_link.encode(message)))

    async def run(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Bench:
    """A gateway with one device that is registered and takes four calls."""

    def __init__(self) -> None:
        self.receiver, self.publisher, self.worker = FakeReceiver(), FakePublisher(), FakeWorker()
        self.clock, self.health = FakeClock(), Health()
        self.gateway = Gateway(receiver=self.receiver, publisher=self.publisher, clock=self.clock, health=self.health)
        self.device: Device = self.gateway.add(CREDENTIALS)
        self.device.worker = self.worker
        self.tell(sip_link.Ready(capacity=4))
        self.tell(sip_link.Registration(online=True, status_code=200, expires_s=50))

    def tell(self, message: sip_link.Message) -> None:
        self.gateway.on_message(self.device, sip_link.decode_from_worker(sip_link.encode(message)))

    def invite(self, call: int = 1, port: int = 30000, *, named: bool = True) -> None:
        monitored = sip_link.Ids(call_id=CALL, party_id=AGENT) if named else None
        self.tell(sip_link.InviteReceived(call=call, sip_call_id=f"cid{call}", ports=[port], monitored=monitored))

    def expect(self, role: Role = "agent") -> None:
        self.gateway.learn(
            Step(
                type="requested",
                call_id=CALL,
                mode="party",
                party_id=AGENT,
                role=role,
                device_id="801",
                supervisor_extension_id="700",
                supervisor_party_id="",
                at_s=self.clock.now().timestamp(),
            )
        )

    @property
    def legs(self) -> list[tuple[str, str, str]]:
        return [(leg.type, leg.role, leg.reason) for leg in self.publisher.records(MEDIA_LEGS)]

    @property
    def devices(self) -> list[tuple[bool, int, str]]:
        return [(d.online, d.free_slots, d.reason) for d in self.publisher.records(MEDIA_DEVICES)]


def agreed(port: int = 30000) -> sip_link.MediaAgreed:
    line = sip_link.AgreedLine(
        port=port, remote_host="192.0.2.9", remote_port=50400, payload_type=0, direction="sendrecv"
    )
    return sip_link.MediaAgreed(call=1, lines=[line])


def finished(reason: str = "bye", port: int = 30000) -> LegFinished:
    counts = StreamCounts(packets_received=10, received_ms=200)
    return LegFinished(port=port, reason=reason, media_time_ms=200, epoch_ms=1, counts=counts, undecodable=0)


async def test_a_registered_device_has_a_port_for_every_call_it_takes() -> None:
    bench = Bench()
    assert bench.worker.sent == [sip_link.GrantPorts(ports=[30000, 30002, 30004, 30006])]
    assert bench.devices == [(False, 0, "starting"), (True, 4, "")]
    assert bench.health.report(readiness=True) == (True, {})


async def test_the_life_of_a_leg() -> None:
    bench = Bench()
    bench.expect()
    bench.invite()
    assert bench.worker.sent[-1] == sip_link.Answer(call=1)
    assert bench.devices[-1] == (True, 3, "")
    bench.tell(agreed())
    assert bench.receiver.attached[30000].remote == ("192.0.2.9", 50400)
    assert bench.receiver.attached[30000].sends
    bench.gateway.on_report(LegHeard(port=30000, epoch_ms=1_700_000_000_000, media_time_ms=0))
    bench.gateway.on_report(LegSilent(port=30000, kind="rtp_silent", counts=StreamCounts()))
    lossy = StreamCounts(packets_lost=5, lost_ms=100)
    bench.gateway.on_report(LegGap(port=30000, media_time_ms=900, gap_ms=600, counts=lossy))
    bench.tell(sip_link.Ended(call=1, status_code=200, by_peer=True))
    assert bench.receiver.released == [(30000, "bye")]
    assert bench.worker.sent[-1] == sip_link.GrantPorts(ports=[30008]), "the used port rests, another takes its place"
    bench.gateway.on_report(finished())
    assert bench.legs == [
        ("invited", "agent", ""),
        ("up", "agent", ""),
        ("gap", "agent", "rtp_silent"),
        ("gap", "agent", "packet_loss"),
        ("down", "agent", "bye"),
    ]
    records = bench.publisher.records(MEDIA_LEGS)
    assert len({record.event_id for record in records}) == len(records)
    assert {record.epoch for record in records[1:]} == {datetime.fromtimestamp(1_700_000_000, UTC)}
    assert bench.devices[-1] == (True, 4, "")


async def test_a_role_learnt_later_reaches_the_receiver_and_the_leg() -> None:
    bench = Bench()
    bench.invite()
    bench.tell(agreed())
    bench.gateway.on_report(LegHeard(port=30000, epoch_ms=1_700_000_000_000, media_time_ms=0))
    bench.expect()
    bench.expect("customer")
    assert bench.receiver.identified == [(30000, "agent")]
    assert bench.legs == [("invited", "unknown", ""), ("up", "unknown", ""), ("up", "agent", "")]


async def test_leg_that_is_superseded_is_hung_up_and_no_other() -> None:
    bench = Bench()
    bench.expect()
    bench.invite()
    (leg,) = bench.publisher.records(MEDIA_LEGS)
    ended = Step(
        type="ended", call_id=CALL, mode="session", party_id="", role="mixed", device_id="801",
        supervisor_extension_id="700", supervisor_party_id="", at_s=0.0, superseded_leg_id="another",
    )  # fmt: skip

    bench.gateway.learn(ended)
    assert bench.worker.sent[-1] == sip_link.Answer(call=1)
    bench.gateway.learn(replace(ended, superseded_leg_id=leg.leg_id))
    assert bench.worker.sent[-1] == sip_link.HangUp(call=1)


async def test_a_call_that_nobody_expects_is_declined_and_its_port_freed() -> None:
    bench = Bench()
    bench.invite(named=False)
    assert not any(isinstance(m, sip_link.Answer | sip_link.Decline) for m in bench.worker.sent)
    bench.clock.advance_ms(2000)
    bench.gateway._decide(bench.device, 1)
    assert bench.worker.sent[-1] == sip_link.Decline(call=1, status_code=603)
    assert bench.receiver.released == [(30000, "declined")]
    bench.tell(sip_link.Ended(call=1, status_code=603, by_peer=False))
    assert bench.worker.sent[-1] == sip_link.GrantPorts(ports=[30008])
    assert bench.legs == []


async def test_a_dead_worker_takes_its_legs_down_and_gives_its_ports_back() -> None:
    bench = Bench()
    bench.expect()
    bench.invite()
    bench.gateway.on_worker_death(bench.device)
    assert bench.receiver.released == [(30000, "worker_died")]
    assert sorted(bench.receiver.handed_back) == [30002, 30004, 30006]
    assert bench.devices[-1] == (False, 0, "worker_died")
    assert not bench.health.report(readiness=True)[0]
    bench.tell(sip_link.Ready(capacity=4))
    assert bench.worker.sent[-1] == sip_link.GrantPorts(ports=[30008, 30010, 30012, 30014])


async def test_draining_takes_no_more_calls_and_waits_for_the_running_ones() -> None:
    bench = Bench()
    bench.expect()
    bench.invite()
    draining = asyncio.create_task(bench.gateway.drain(30.0))
    await asyncio.sleep(0)
    assert bench.devices[-1] == (False, 0, "draining")
    bench.invite(call=2, port=30002)
    assert bench.worker.sent[-1] == sip_link.Decline(call=2, status_code=480)
    bench.tell(sip_link.Ended(call=2, status_code=480, by_peer=False))
    assert not draining.done()
    bench.tell(sip_link.Ended(call=1, status_code=200, by_peer=True))
    await draining


async def test_an_epoch_from_an_earlier_life_is_handed_to_the_receiver() -> None:
    bench = Bench()
    bench.gateway.recall_epoch(CALL, datetime.fromtimestamp(1_700_000_000.5, UTC))
    assert bench.receiver.epochs == {CALL: 1_700_000_000_500}


def test_secrets_stay_out_of_representations() -> None:
    assert "s3cr3t" not in repr(CREDENTIALS)
    assert CREDENTIALS.instance_id == CREDENTIALS.instance_id
    assert CREDENTIALS.proxy("tls") == "192.0.2.9:5096"
    assert CREDENTIALS.proxy("udp") == "192.0.2.9:5090"
