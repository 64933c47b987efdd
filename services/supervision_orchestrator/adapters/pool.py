"""The supervisor identities: each says whose it is when it logs in, and none holds up the others.

After a restart calls wait to be heard, so the service begins with whoever is known after a moment. An identity that
RingCentral keeps waiting (a penalty, a login that fails) joins when it is let in; one refused for good is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from services.chassis.call_stream import until_done
from services.chassis.errors import Fatal, SettingError, Transient
from services.chassis.ringcentral import RateLimit
from services.supervision_orchestrator.adapters.requests import DaemonThreads
from services.supervision_orchestrator.domain.ports import Refused, SuperviseApi

log = structlog.get_logger()
FIRST_WAIT_S = 2.0


@dataclass(slots=True, eq=False)
class Member:
    """One supervisor identity; `extension_id` is empty until it is known."""

    api: SuperviseApi
    device_ids: tuple[str, ...] = ()
    extension_id: str = ""
    on_limits: Callable[[str, RateLimit], object] | None = None

    def hear(self, told: RateLimit) -> None:
        """On a worker thread."""
        if self.on_limits is not None and self.extension_id:
            self.on_limits(self.extension_id, told)


class Pool:
    """`introduce` once, then `join` beside the work. For the event loop."""

    def __init__(
        self, members: Sequence[Member], threads: DaemonThreads, stop: asyncio.Event, *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:  # fmt: skip
        self.members = members
        self._first_wait_s = first_wait_s
        self.known: list[Member] = []
        self._threads = threads
        self._stop = stop
        self._under_way: set[asyncio.Task[Member | None]] = set()

    async def introduce(self) -> list[Member]:
        """Those known when all have had an answer, or after a moment, but at least one; none when told to stop.

        Raises Fatal when RingCentral refuses all for good, SettingError when two are the same.
        """
        self._under_way = {asyncio.create_task(self._ask(member)) for member in self.members}
        await self._settle(asyncio.ALL_COMPLETED, self._first_wait_s)
        while not self.known and self._under_way:
            await self._settle(asyncio.FIRST_COMPLETED, None)
        if not self.known and not self._stop.is_set():
            raise Fatal("RINGCENTRAL_JWTS: RingCentral refuses every identity of the pool")
        log.info("supervisors_known", extension_ids=sorted(m.extension_id for m in self.known))
        return list(self.known)

    async def join(self, on_join: Callable[[Member], object]) -> None:
        """Wait for those that were not known yet; raises SettingError as `introduce`."""
        while self._under_way:
            for member in await self._settle(asyncio.FIRST_COMPLETED, None):
                log.info("supervisor_joined", extension_id=member.extension_id)
                on_join(member)

    def close(self) -> None:
        """Wait for nobody any more."""
        for task in self._under_way:
            task.cancel()

    async def _settle(self, until: str, timeout_s: float | None) -> list[Member]:
        done, self._under_way = await asyncio.wait(self._under_way, timeout=timeout_s, return_when=until)
        found = [member for task in done if (member := task.result()) is not None]
        self.known += found
        if len({member.extension_id for member in self.known}) < len(self.known):
            raise SettingError("RINGCENTRAL_JWTS: two identities belong to the same extension")
        return found

    async def _ask(self, member: Member) -> Member | None:
        """The member once its extension is known; None when it is left out, or the service is to stop."""
        own = partial(_own_extension, member.api)
        try:
            if not member.extension_id:
                member.extension_id = await until_done(self._stop, lambda: self._threads.run(own)) or ""
        except Fatal as fatal:
            if len(self.members) == 1:
                raise
            log.error("supervisor_left_out", reason=str(fatal))
        return member if member.extension_id else None


def _own_extension(api: SuperviseApi) -> str:
    try:
        return api.own_extension_id()
    except Refused as refused:
        if not refused.retryable or refused.error_code.startswith("invalid_"):
            raise Fatal(f"RingCentral refuses to say whose credentials these are: {refused}") from None
        raise Transient(str(refused), retry_after_ms=refused.retry_after_ms) from None
