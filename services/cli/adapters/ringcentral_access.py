"""RingCentral for the command line: one login, waits told on the screen, refusals put into a line that helps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.ringcentral.patience import PatientRest, Rest
from services.chassis.settings import RingCentralSettings, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How RingCentral is met; a test's own stands in `click.Context.obj`."""

    rest: Rest
    sleep: Callable[[float], None] = time.sleep


def connect(context: click.Context) -> PatientRest:
    """REST that waits as told, for as long as the command runs; raises SettingError.

    The session is given back at the end: RingCentral allows a user about five, which the services need too.
    """
    access = context.find_object(Access)
    if access is None:
        client = RingCentralClient(load(RingCentralSettings))
        context.call_on_close(client.close)
        access = Access(rest=client)
    return PatientRest(access.rest, sleep=access.sleep, on_wait=say_wait)


def say_wait(wait_ms: int) -> None:
    """Tell on standard error why nothing happens for a while."""
    click.echo(f"RingCentral asks for a pause: going on in {-(-wait_ms // 1000)} s", err=True)


def say_refusal(refusal: RingCentralRefused) -> str:
    """One line: what to change, and what RingCentral said."""
    return f"{_remedy(refusal)} ({_told(refusal)})"


def _told(refusal: RingCentralRefused) -> str:
    if not refusal.status:
        return "no reply"
    return " ".join(part for part in (f"HTTP {refusal.status}", refusal.error_code, refusal.parameter) if part)


def _remedy(refusal: RingCentralRefused) -> str:
    code, status, parameter = refusal.error_code, refusal.status, refusal.parameter.lower()
    reading = refusal.request.startswith("GET ")
    if not status:
        return "RingCentral cannot be reached: check RINGCENTRAL_SERVER_URL and the network"
    if status == 429:
        return "too many requests: send none for a minute, then run this again; it goes on where it stopped"
    if status >= 500:
        return "RingCentral has trouble: run this again later; it goes on where it stopped"
    if status == 401 or "oauth" in refusal.request or refusal.request == "login":
        return "RingCentral lets nobody in: check RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT"
    if status == 403 and code == "CMN-401":
        return f"give the app the permission {'ReadAccounts' if reading else 'EditExtensions'} in its settings"
    if status == 403:
        permission = "ReadExtensions" if reading else "Groups"
        return f"give the user of RINGCENTRAL_JWT a role with the permission {permission}"
    if status == 404:
        return "the group, or an extension named, is gone: look with `earshot groups list`, then run this again"
    if parameter == "name":
        return "choose another name: this one is taken, empty or too long"
    if "extension" in parameter or code == "CMN-403":
        return "an extension cannot be a member: check type and status of those that were to change"
    return "RingCentral does not take the request as it is"
