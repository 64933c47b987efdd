"""Wires the media gateway together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from services.chassis.errors import Fatal, SettingError, Transient
from services.chassis.publisher import KafkaPublisher, Publisher
from services.chassis.service import Service, run_async, stopped
from services.chassis.topic_view import TopicView
from services.media_gateway.adapters.chunk_topic import ChunkTopic
from services.media_gateway.adapters.device_directory import RestDeviceDirectory
from services.media_gateway.adapters.orphans import OpenLegs
from services.media_gateway.adapters.rtp_receiver import ReceiverSettings, RtpReceiver
from services.media_gateway.adapters.sip_process import SipProcess
from services.media_gateway.adapters.supervision_topic import follow_legs, follow_supervision
from services.media_gateway.config import MediaGatewaySettings
from services.media_gateway.domain.device import DeviceDirectory, SipCredentials
from services.media_gateway.domain.sip_link import Configure
from services.media_gateway.gateway import Gateway

log = structlog.get_logger()
ABOUT = "Registers supervisor devices, answers supervise INVITEs and publishes what is heard on audio.chunks."
FLUSH_S = 10.0
DIRECTORY_RETRY_S = 2.0
CATCH_UP_S = 10.0
LOOK_EVERY_S = 1.0


Feeds = Callable[[Gateway, OpenLegs], Sequence[TopicView]]


def main(service: Service[MediaGatewaySettings]) -> None:
    """Run until the service is told to stop."""
    publisher = KafkaPublisher(
        service.settings,
        service=service.name,
        health=service.health,
        clock=service.clock,
        dead_letter_limit=service.settings.dead_letter_limit,
    )
    feeds = functools.partial(kafka_feeds, service.settings, publisher)
    directory = RestDeviceDirectory(service.settings, service.settings.device_ids)
    try:
        run_async(service, functools.partial(serve, service, publisher, directory, feeds))
    finally:
        publisher.close(FLUSH_S)


async def serve(
    service: Service[MediaGatewaySettings],
    publisher: Publisher,
    directory: DeviceDirectory,
    feeds: Feeds,
    stop: asyncio.Event,
) -> None:
    """Serve on the running loop until `stop`: then drain, end the calls, unregister, flush."""
    settings, loop = service.settings, asyncio.get_running_loop()
    service.health.waiting("sip", "no device is registered yet")
    chunks = ChunkTopic(publisher)
    receiver = RtpReceiver(
        receiver_settings(settings),
        chunks,
        lambda news: _threadsafe(loop, gateway.on_report, news),
    )
    gateway = Gateway(receiver=receiver, publisher=publisher, clock=service.clock, health=service.health)
    receiver.start()
    began, open_legs = service.clock.now(), OpenLegs()
    views = feeds(gateway, open_legs)
    workers: list[SipProcess] = []
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(watch(receiver, chunks, views))]
    try:
        await asyncio.to_thread(_wait_for, views)
        devices = await _devices(directory, stop)
        own = {credentials.device_id for credentials in devices}
        open_legs.close(publisher, own, before=began, now=service.clock.now())
        for credentials in devices:
            worker = _worker(gateway, credentials, settings)
            workers.append(worker)
            tasks.append(asyncio.create_task(worker.run()))
        await until(stop, tasks[0])
        await gateway.drain(settings.drain_s)
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        await asyncio.to_thread(receiver.stop)
        await asyncio.sleep(0)  # lets the receiver's last reports be published
        tasks[0].cancel()
        for view in views:
            await asyncio.to_thread(view.stop)
        chunks.flush()
        if not await asyncio.to_thread(publisher.flush, FLUSH_S):
            log.error("records_not_acknowledged_at_stop")


def kafka_feeds(
    settings: MediaGatewaySettings, publisher: Publisher, gateway: Gateway, open_legs: OpenLegs
) -> Sequence[TopicView]:
    """Follow what is expected, and read back the epochs of calls that are still going on."""
    loop = asyncio.get_running_loop()
    views = (
        follow_legs(
            settings, open_legs, lambda call_id, epoch: _threadsafe(loop, gateway.recall_epoch, call_id, epoch)
        ),
        follow_supervision(settings, publisher, lambda step: _threadsafe(loop, gateway.learn, step)),
    )
    for view in views:
        view.start()
    return views


def receiver_settings(settings: MediaGatewaySettings) -> ReceiverSettings:
    """Return what the receiver wants to know."""
    return ReceiverSettings(
        bind_host=settings.bind_host,
        port_first=settings.rtp_port_first,
        port_last=settings.rtp_port_last,
        cool_down_s=settings.rtp_port_cool_down_s,
        silence_ms=settings.silence_ms,
        gap_report_ms=settings.gap_report_ms,
        stream=settings.stream_settings(),
    )


def worker_configuration(credentials: SipCredentials, settings: MediaGatewaySettings) -> Configure:
    """Return what the device's SIP worker is told. Raises SettingError when no proxy is known."""
    proxy = settings.sip_proxy or credentials.proxy(settings.sip_transport)
    if not proxy:
        raise SettingError(
            f"MEDIA_GATEWAY_SIP_PROXY: sip-info names no {settings.sip_transport} proxy for device "
            f"{credentials.device_id}; set it or another MEDIA_GATEWAY_SIP_TRANSPORT"
        )
    return Configure(
        device_id=credentials.device_id,
        user_name=credentials.user_name,
        domain=credentials.domain,
        authorization_id=credentials.authorization_id,
        password=credentials.password,
        proxy=proxy,
        transport=settings.sip_transport,
        tls_verify=settings.tls_verify,
        tls_ca_file=settings.tls_ca_file,
        instance_id=credentials.instance_id,
        register_s=settings.register_s,
        bind_host=settings.bind_host,
        media_host=settings.media_host or local_address_towards(proxy),
    )


def local_address_towards(proxy: str) -> str:
    """Return our address on the way to `proxy` (host:port). Raises Fatal when its name cannot be resolved."""
    host, _, port = proxy.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, int(port)))
        except OSError:
            raise Fatal(f"the SIP proxy {host} cannot be reached or resolved") from None
        return str(probe.getsockname()[0])


def _worker(gateway: Gateway, credentials: SipCredentials, settings: MediaGatewaySettings) -> SipProcess:
    device = gateway.add(credentials)
    worker = SipProcess(
        worker_configuration(credentials, settings),
        log_level=settings.log_level,
        on_message=functools.partial(gateway.on_message, device),
        on_death=functools.partial(gateway.on_worker_death, device),
    )
    device.worker = worker
    return worker


async def _devices(directory: DeviceDirectory, stop: asyncio.Event) -> list[SipCredentials]:
    """Ask the directory until it answers; empty when the service is stopped first."""
    while not stop.is_set():
        try:
            found = await directory.sip_devices()
        except Transient as error:
            log.warning("devices_not_known_yet", reason=str(error))
            wait_s = max(DIRECTORY_RETRY_S, error.retry_after_ms / 1000)
            await stopped(stop, wait_s)
            continue
        if not found:
            raise Fatal("MEDIA_GATEWAY_DEVICE_IDS: no Existing Phone device of the supervisor was found")
        return found
    return []


class Threaded(Protocol):
    """Something with a thread of its own; ``error`` is what has ended it, None while it works."""

    error: BaseException | None


async def watch(
    receiver: Threaded, chunks: ChunkTopic, views: Sequence[Threaded], *, every_s: float = LOOK_EVERY_S
) -> None:
    """Send chunks that wait for room, now and then. Raises Fatal when a thread has died: a restart brings it back."""
    while True:
        await asyncio.sleep(every_s)
        chunks.flush()
        if receiver.error is not None:
            raise Fatal(f"receiving audio ended: {type(receiver.error).__name__}")
        for view in views:
            if view.error is not None:
                raise Fatal(f"reading topics ended: {type(view.error).__name__}")


async def until(stop: asyncio.Event, watching: asyncio.Task[None]) -> None:
    """Return when `stop` is set. Raises what has ended the watch, should that be first."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopping, watching], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
    finally:
        stopping.cancel()


def _wait_for(views: Sequence[TopicView]) -> None:
    for view in views:
        if not view.caught_up.wait(CATCH_UP_S):
            log.warning("registering_before_topics_are_read")


def _threadsafe(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *arguments: object) -> None:
    """Call on the loop from another thread; a loop that is closed by now no longer cares."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *arguments)
