"""`earshot doctor`: is this deployment able to hear calls, and if not, what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
import confluent_kafka
import orjson
from confluent_kafka.admin import AdminClient
from pydantic import ValidationError

from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.settings import KafkaSettings, RingCentralSettings
from services.chassis.topic_admin import new_topics
from services.cli.domain.checks import Check, check_devices, check_group_members, check_topics
from services.contracts.topics import ALL

ACCOUNT = "/restapi/v1.0/account/~"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check broker, topics, credentials, permissions, monitoring groups and the supervisor's device.

    Exits 0 when every check passes, else 1; each failure says what to do.
    """
    checks = [*_broker_checks(), *_ringcentral_checks()]
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
        existing = AdminClient(settings.kafka_options()).list_topics(timeout=10.0).topics
    except confluent_kafka.KafkaException as error:
        remedy = "set KAFKA_BOOTSTRAP_SERVERS (and KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_*) to your broker"
        yield Check(name="broker", well=False, found=f"none answers at {where} ({error.args[0].name()})", remedy=remedy)
        return
    yield Check(name="broker", well=True, found=f"answers at {where}")
    yield check_topics(existing, [topic.topic for topic in new_topics(ALL, prefix=settings.topic_prefix)])


def _ringcentral_checks() -> Iterator[Check]:
    try:
        client = RingCentralClient(RingCentralSettings())
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        yield Check(name="credentials", well=False, found=f"not set: {names}", remedy=f"set {names}")
        return
    try:
        own = client.get(f"{ACCOUNT}/extension/~")
    except RingCentralRefused as error:
        yield Check(name="credentials", well=False, found=_said(error), remedy="check the RINGCENTRAL_* settings")
        return
    own_id = str(own["id"])
    yield Check(name="credentials", well=True, found=f"logged in as extension {own_id}")
    try:
        members = [
            member
            for group in client.pages(f"{ACCOUNT}/call-monitoring-groups")
            for member in client.pages(f"{ACCOUNT}/call-monitoring-groups/{group['id']}/members")
        ]
        yield from check_group_members(members, own_id)
    except RingCentralRefused as error:
        remedy = "the app needs ReadAccounts, the user the permission to see monitoring groups"
        yield Check(name="monitoring groups", well=False, found=_said(error), remedy=remedy)
    try:
        yield from check_devices(client.pages(f"{ACCOUNT}/extension/{own_id}/device"))
    except RingCentralRefused as error:
        remedy = "the app needs ReadAccounts, the user ReadUserDevices"
        yield Check(name="devices", well=False, found=_said(error), remedy=remedy)


def _said(error: RingCentralRefused) -> str:
    return f"HTTP {error.status} {error.error_code}".strip() if error.status else "no reply"
