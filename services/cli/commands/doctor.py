"""`earshot doctor`: is this deployment able to hear calls, and if not, what to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
import confluent_kafka
import orjson
from confluent_kafka.admin import AdminClient

from services.chassis.errors import SettingError
from services.chassis.ringcentral import RateLimit, RingCentralClient, RingCentralRefused
from services.chassis.ringcentral.detection import DetectionSettings
from services.chassis.ringcentral.groups import MonitoringGroups
from services.chassis.ringcentral.patience import PatientRest
from services.chassis.settings import KafkaSettings, RingCentralSettings, load
from services.chassis.topic_admin import new_topics
from services.cli.adapters.detection_probe import check_webhook_subscription, probe_webhook, probe_websocket
from services.cli.adapters.ringcentral_access import say_refusal, say_wait
from services.cli.domain.capacity import Demand, check_capacity
from services.cli.domain.checks import Check, Supervisor, check_devices, check_groups, check_permissions, check_topics
from services.contracts.topics import ALL

ACCOUNT = "/restapi/v1.0/account/~"
LIGHT_LIMIT = 50


class DoctorSettings(RingCentralSettings, DetectionSettings):
    """What is read of the services' settings."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON.")
@click.option(
    "--calls-per-minute",
    type=click.FloatRange(0, min_open=True),
    help="Calls that are to be heard at the busiest time; without it capacity is told and not judged.",
)
@click.option(
    "--call-minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True, help="Their length."
)
@click.option(
    "--calls-per-device", type=click.IntRange(1), default=2, show_default=True, help="Calls that a device carries."
)
@click.pass_context
def doctor(
    context: click.Context, as_json: bool, calls_per_minute: float | None, call_minutes: float, calls_per_device: int
) -> None:
    """Check broker, topics, credentials, permissions, monitoring groups, devices, capacity and detection.

    Exits 0 when every check passes, else 1; each failure says what to do.

    \b
      earshot doctor
      earshot doctor --calls-per-minute 30 --call-minutes 4 --json
    """
    demand = Demand(calls_per_minute=calls_per_minute, call_minutes=call_minutes)
    checks = [*_broker_checks(), *_ringcentral_checks(context, demand, calls_per_device)]
    well = all(check.well for check in checks)
    if as_json:
        found = [{"name": c.name, "ok": c.well, "found": c.found, "remedy": c.remedy} for c in checks]
        click.echo(orjson.dumps({"ok": well, "checks": found}, option=orjson.OPT_INDENT_2).decode())
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.well else 'FAIL'}  {check.name}: {check.found}")
            if check.remedy:
                click.echo(f"      → {check.remedy}")
    sys.exit(0 if well else 1)


def _broker_checks() -> Iterator[Check]:
    settings = KafkaSettings()
    where = settings.kafka_bootstrap_servers
    try:
        quiet = {"log_level": 0}  # what it would write about a broker that is not there is said below, once
        existing = AdminClient(settings.kafka_options() | quiet).list_topics(timeout=10.0).topics
    except confluent_kafka.KafkaException as error:
        remedy = "set KAFKA_BOOTSTRAP_SERVERS (and KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_*) to your broker"
        yield Check(name="broker", well=False, found=f"none answers at {where} ({error.args[0].name()})", remedy=remedy)
        return
    yield Check(name="broker", well=True, found=f"answers at {where}")
    yield check_topics(existing, [topic.topic for topic in new_topics(ALL, prefix=settings.topic_prefix)])


class _Line:
    """One identity's access, which waits as RingCentral says."""

    def __init__(self, context: click.Context, client: RingCentralClient) -> None:
        self.client = client
        self.rest = PatientRest(client, sleep=time.sleep, on_wait=say_wait)
        context.call_on_close(client.close)


def _ringcentral_checks(context: click.Context, demand: Demand, calls_per_device: int) -> Iterator[Check]:
    try:
        settings = load(DoctorSettings)
    except SettingError as error:
        for problem in str(error).splitlines():
            name, _, why = problem.partition(": ")
            yield Check(name=f"setting {name}", well=False, found=why, remedy=f"set {name}")
        return
    limits: dict[str, RateLimit] = {}
    lines: list[_Line] = []
    supervisors: list[Supervisor] = []
    for number, identity in enumerate(settings.supervisor_identities(), start=1):
        client = RingCentralClient(settings, jwt=identity.jwt, on_limits=lambda told: limits.update({told.group: told}))
        line = _Line(context, client)
        try:
            own = line.rest.get(f"{ACCOUNT}/extension/~")
        except RingCentralRefused as refusal:
            name = f"credentials of supervisor {number}"
            yield Check(name=name, well=False, found=_said(refusal), remedy=say_refusal(refusal))
            continue
        own_id = str(own.get("id"))
        yield Check(name=f"credentials of supervisor {number}", well=True, found=f"logged in as extension {own_id}")
        lines.append(line)
        if number == 1:
            yield check_permissions(client.scopes, settings.mode)
        yield from _tried(f"devices of {own_id}", _devices(line, own_id, identity.device_ids, supervisors))
    if not lines:
        return
    first = lines[0]
    yield from _tried("monitoring groups", _groups(first, supervisors))
    yield from _tried("company's active calls", _active_calls(first))
    light = limits.get("light")
    yield from check_capacity(
        demand,
        supervisors=len(supervisors),
        light_limit=light.limit if light is not None and light.limit > 0 else LIGHT_LIMIT,
        devices_online=sum(len(supervisor.online()) for supervisor in supervisors),
        calls_per_device=calls_per_device,
        presence=settings.mode == "presence",
    )
    yield from _tried(f"detection by {settings.mode}", _detection(first, settings))


def _tried(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """What is found; a refusal is a finding too."""
    try:
        yield from checks
    except RingCentralRefused as refusal:
        yield Check(name=name, well=False, found=_said(refusal), remedy=say_refusal(refusal))


def _devices(line: _Line, own_id: str, chosen: tuple[str, ...], supervisors: list[Supervisor]) -> Iterator[Check]:
    devices = tuple(line.rest.pages(f"{ACCOUNT}/extension/{own_id}/device"))
    supervisor = Supervisor(extension_id=own_id, devices=devices, chosen=chosen)
    supervisors.append(supervisor)
    yield from check_devices(supervisor)
    for device in supervisor.usable()[:1]:
        try:
            line.rest.get(f"{ACCOUNT}/device/{device.get('id')}/sip-info")
        except RingCentralRefused as refusal:
            remedy = f"give extension {own_id} a role with the permission ReadCompanyDevices"
            yield Check(name=f"SIP credentials of {own_id}", well=False, found=_said(refusal), remedy=remedy)
        else:
            yield Check(name=f"SIP credentials of {own_id}", well=True, found="may be read")


def _groups(line: _Line, supervisors: list[Supervisor]) -> Iterator[Check]:
    groups = MonitoringGroups(line.rest)
    found = [(group, groups.members(group.group_id)) for group in groups.find()]
    yield from check_groups(found, supervisors)


def _active_calls(line: _Line) -> Iterator[Check]:
    name = "company's active calls"
    try:
        line.rest.get(f"{ACCOUNT}/active-calls", {"perPage": "1"})
    except RingCentralRefused as refusal:
        if refusal.status != 403:
            raise
        remedy = (
            "give the user of RINGCENTRAL_JWT the permission ReadCompanyCallLog (and the app ReadCallLog): without it "
            "calls that were missed are looked for three agents at a time"
        )
        yield Check(name=name, well=False, found=_said(refusal), remedy=remedy)
    else:
        yield Check(name=name, well=True, found="may be listed")


def _detection(line: _Line, settings: DoctorSettings) -> Iterator[Check]:
    if settings.mode == "webhook":
        yield probe_webhook(settings.webhook_url, https_wanted=settings.ringcentral_server_url.startswith("https"))
        yield check_webhook_subscription(line.client, settings.webhook_url)
    else:
        yield probe_websocket(line.client)


def _said(refusal: RingCentralRefused) -> str:
    return f"HTTP {refusal.status} {refusal.error_code}".strip() if refusal.status else "no reply"
