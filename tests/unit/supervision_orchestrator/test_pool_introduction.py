"""Who of the pool is known when the service begins, and who comes later."""

from __future__ import annotations

import asyncio
import threading

import pytest

from services.chassis.errors import Fatal, SettingError
from services.supervision_orchestrator.adapters.pool import Member, Pool
from services.supervision_orchestrator.adapters.requests import DaemonThreads
from services.supervision_orchestrator.adapters.ringcentral_api import OWN_EXTENSION, RingCentralSuperviseApi
from services.supervision_orchestrator.domain.inputs import ReadParty
from services.supervision_orchestrator.domain.ports import Refused


class Identity:
    """A SuperviseApi that says who it is, once it may."""

    def __init__(self, extension_id: str, refusal: Refused | None = None) -> None:
        self.may_speak = threading.Event()
        self._extension_id, self._refusal = extension_id, refusal

    def own_extension_id(self) -> str:
        assert self.may_speak.wait(10)
        if self._refusal is not None:
            raise self._refusal
        return self._extension_id

    def read_session(self, call_id: str) -> tuple[ReadParty, ...] | None:
        raise AssertionError

    def supervise_party(self, call_id: str, party_id: str, *, agent_extension_id: str, device_id: str) -> str:
        raise AssertionError

    def supervise_session(self, call_id: str, *, agent_extension_id: str, device_id: str) -> str:
        raise AssertionError


def pool_of(*identities: Identity, first_wait_s: float = 10.0) -> Pool:
    members = [Member(identity) for identity in identities]
    return Pool(members, DaemonThreads(len(identities)), asyncio.Event(), first_wait_s=first_wait_s)


def ready(extension_id: str, refusal: Refused | None = None) -> Identity:
    identity = Identity(extension_id, refusal)
    identity.may_speak.set()
    return identity


async def test_an_identity_that_is_kept_waiting_joins_later() -> None:
    slow = Identity("2")
    pool = pool_of(ready("1"), slow, first_wait_s=0.05)
    assert [member.extension_id for member in await pool.introduce()] == ["1"]

    joined: list[str] = []
    joining = asyncio.create_task(pool.join(lambda member: joined.append(member.extension_id)))
    slow.may_speak.set()
    await asyncio.wait_for(joining, 10)
    assert joined == ["2"]


async def test_nothing_begins_before_one_is_known() -> None:
    slow = Identity("2")
    introducing = asyncio.create_task(pool_of(slow, first_wait_s=0.0).introduce())
    assert not (await asyncio.wait({introducing}, timeout=0.05))[0]
    slow.may_speak.set()
    assert [member.extension_id for member in await introducing] == ["2"]


async def test_one_refused_for_good_is_left_out_and_all_refused_is_the_end() -> None:
    refusal = Refused(400, "invalid_grant")
    assert [m.extension_id for m in await pool_of(ready("1"), ready("2", refusal)).introduce()] == ["1"]
    with pytest.raises(Fatal, match="every identity"):
        await pool_of(ready("1", refusal), ready("2", refusal)).introduce()
    with pytest.raises(Fatal, match="whose credentials"):
        await pool_of(ready("1", refusal)).introduce()


async def test_two_identities_of_one_extension_are_a_mistake_whenever_it_shows() -> None:
    with pytest.raises(SettingError, match="same extension"):
        await pool_of(ready("1"), ready("1")).introduce()
    slow = Identity("1")
    pool = pool_of(ready("1"), slow, first_wait_s=0.05)
    await pool.introduce()
    slow.may_speak.set()
    with pytest.raises(SettingError, match="same extension"):
        await pool.join(lambda member: None)


@pytest.mark.parametrize(("owner_id", "asked"), [("7", []), ("", [OWN_EXTENSION])])
def test_the_directory_is_asked_only_where_the_login_does_not_tell(owner_id: str, asked: list[str]) -> None:
    paths: list[str] = []

    class Rest:
        def owner_id(self) -> str:
            return owner_id

        def get(self, path: str, query: object = None) -> dict[str, object]:
            paths.append(path)
            return {"id": 7}

        def post(self, path: str, body: object = None) -> dict[str, object]:
            raise AssertionError

    assert RingCentralSuperviseApi(Rest()).own_extension_id() == "7"
    assert paths == asked
