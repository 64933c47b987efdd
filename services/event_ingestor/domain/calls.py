"""What the published events say of calls under way, to find what a gap in the events hid.

A snapshot read by REST is compared with it: only parties whose status differs are news, and a call that RingCentral
no longer knows has ended for every party that was still there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

ENDED = frozenset({"Disconnected", "Gone", "VoiceMail", "FaxReceive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A monitored extension's party of a call and its latest status."""

    party_id: str
    extension_id: str
    account_id: str
    code: str
    reason: str = ""


class KnownCalls:
    """Open calls and the statuses of their parties; the oldest are forgotten past `limit`. Not thread-safe."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._calls: OrderedDict[str, dict[str, Party]] = OrderedDict()
        self._changes: OrderedDict[str, int] = OrderedDict()
        self._heard_ms: dict[str, int] = {}

    def observe(self, call_id: str, parties: Iterable[Party], now_ms: int = 0) -> None:
        """Take note of statuses published now (monotonic ms). A call all of whose parties have ended is forgotten."""
        self._heard_ms[call_id] = now_ms
        known = self._calls.setdefault(call_id, {})
        known.update({party.party_id: party for party in parties})
        if all(party.code in ENDED for party in known.values()):
            self._forget(call_id)
        self._changes[call_id] = self._changes.get(call_id, 0) + 1
        self._changes.move_to_end(call_id)
        if len(self._changes) > 2 * self._limit:
            self._changes.popitem(last=False)
        if len(self._calls) > self._limit:
            self._forget(next(iter(self._calls)))

    def _forget(self, call_id: str) -> None:
        del self._calls[call_id]
        del self._heard_ms[call_id]

    def changes(self, call_id: str) -> int:
        """How often the call was observed: unchanged over a read means that the read is not older than an event."""
        return self._changes.get(call_id, 0)

    def open(self) -> list[str]:
        """The calls not known to have ended."""
        return list(self._calls)

    def open_of(self, extension_id: str) -> list[str]:
        """The calls in which this extension is not known to have ended."""
        return [
            call_id
            for call_id, parties in self._calls.items()
            if any(party.extension_id == extension_id and party.code not in ENDED for party in parties.values())
        ]

    def extensions(self, call_id: str) -> frozenset[str]:
        """Whose parties of the call are not known to have ended."""
        parties = self._calls.get(call_id, {}).values()
        return frozenset(party.extension_id for party in parties if party.code not in ENDED)

    def code(self, call_id: str, party_id: str) -> str:
        """The party's latest status; "" when it is not known, or its call is over."""
        party = self._calls.get(call_id, {}).get(party_id)
        return party.code if party is not None else ""

    def quiet_ms(self, call_id: str, now_ms: int) -> int:
        """How long nothing was heard of an open call."""
        return now_ms - self._heard_ms.get(call_id, now_ms)

    def news(self, call_id: str, snapshot: Iterable[Party]) -> list[Party]:
        """The snapshot's parties that differ from what is known; an unknown party that has ended is none."""
        known = self._calls.get(call_id, {})
        return [
            party
            for party in snapshot
            if (party.code not in ENDED if party.party_id not in known else known[party.party_id].code != party.code)
        ]

    def vanished(self, call_id: str) -> list[Party]:
        """The call's parties that were still there, as Disconnected."""
        known = self._calls.get(call_id, {}).values()
        return [replace(party, code="Disconnected", reason="") for party in known if party.code not in ENDED]
