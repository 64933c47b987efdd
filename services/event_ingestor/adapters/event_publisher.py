"""Notifications and REST snapshots to `telephony.events`.

A notification is published as the bytes that came, inside our envelope; one that does not fit the contract goes to
the dead-letter topic as it came. Not thread-safe: called on the event loop's thread only.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from services.chassis.clock import Clock, format_utc
from services.chassis.errors import Poison
from services.chassis.publisher import Origin, Publisher
from services.chassis.records import decode
from services.contracts.records import TelephonyEvent
from services.contracts.topics import TELEPHONY_EVENTS
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.call_log import FinishedLeg
from services.event_ingestor.domain.calls import KnownCalls, Party
from services.event_ingestor.domain.dedupe import Seen


class EventPublisher:
    """Publishes each notification once; raises Backpressure, and Fatal past the dead-letter limit."""

    def __init__(self, publisher: Publisher, *, calls: KnownCalls, seen: Seen, clock: Clock, topic_prefix: str) -> None:
        self._publisher = publisher
        self._calls = calls
        self._seen = seen
        self._clock = clock
        self._full_name = topic_prefix + TELEPHONY_EVENTS.name

    def notification(self, raw: bytes, *, source: str = "websocket") -> None:
        """A telephony session notification as it came, from the WebSocket or a webhook."""
        self._publish(raw, source=source)

    def session_party(
        self, session: Mapping[str, Any], party: Mapping[str, Any], known: Party, *, source: str = "rest"
    ) -> None:
        """A party's status as read by REST; `known` identifies it, `source` says what made us look."""
        at = self._clock.now()
        event_id = f"{source}:{session['id']}:{known.party_id}:{known.code}:{int(at.timestamp() * 1000)}"
        extension = f"/restapi/v1.0/account/{known.account_id or '~'}/extension/{known.extension_id}"
        notification = {
            "uuid": event_id,
            "event": f"{extension}/telephony/sessions",
            "timestamp": format_utc(at),
            "body": {
                "sequence": -1,
                "telephonySessionId": session["id"],
                "parties": [{**party, "extensionId": known.extension_id, "queueCall": _queue_call(party)}],
                "origin": session.get("origin") or {"type": "Call"},
            },
        }
        self._publish(orjson.dumps(notification), source=source)

    def finished_leg(self, leg: FinishedLeg) -> None:
        """What the call log tells of a call that is over: taken when, if it was, and ended when."""
        codes = ((leg.began, "Answered"), (leg.ended, "Disconnected")) if leg.taken else ((leg.ended, "Disconnected"),)
        for at, code in codes:
            notification = {
                "uuid": f"log:{leg.call_id}:{leg.extension_id}:{code}",
                "event": f"/restapi/v1.0/account/~/extension/{leg.extension_id}/telephony/sessions",
                "timestamp": format_utc(self._clock.now()),
                "body": {
                    "sequence": -1,
                    "telephonySessionId": leg.call_id,
                    "eventTime": format_utc(at),
                    "parties": [
                        {
                            "id": f"log-{leg.extension_id}",
                            "extensionId": leg.extension_id,
                            "direction": leg.direction,
                            "status": {"code": code},
                        }
                    ],
                    "origin": {"type": "Call"},
                },
            }
            self._publish(orjson.dumps(notification), source="rest", after_the_fact=True)

    def unreadable(self, raw: bytes, poison: Poison) -> None:
        """Keep what could not be read; one content, one `dlq_id`: the offset is its checksum, the partition -1."""
        origin = Origin(topic=self._full_name, partition=-1, offset=zlib.crc32(raw), key=None, value=raw)
        self._publisher.dead_letter(origin, poison)

    def _publish(self, raw: bytes, *, source: str, after_the_fact: bool = False) -> None:
        try:
            event_id = _uuid(raw)
            if event_id in self._seen:
                metrics.DUPLICATES.inc()
                return
            value = orjson.dumps(
                {
                    "event_id": event_id,
                    "source": source,
                    "received_at": format_utc(self._clock.now()),
                    "notification": orjson.Fragment(raw),
                    **({"after_the_fact": True} if after_the_fact else {}),
                }
            )
            record = decode(TELEPHONY_EVENTS, value)
        except Poison as poison:
            self.unreadable(raw, poison)
            return
        call_id = record.notification.body.telephony_session_id
        self._publisher.publish_value(TELEPHONY_EVENTS, call_id, value, event_id=event_id)
        self._seen.add(event_id)
        self._calls.observe(call_id, _parties(record), int(self._clock.monotonic_s() * 1000))
        metrics.EVENTS.labels(source).inc()


def _queue_call(party: Mapping[str, Any]) -> bool:
    """REST says it among the attributes, events beside them."""
    return bool(party.get("queueCall") or (party.get("attributes") or {}).get("queueCall"))


def _uuid(raw: bytes) -> str:
    try:
        uuid = orjson.loads(raw)["uuid"]
    except orjson.JSONDecodeError:
        raise Poison("bad_json", "a notification") from None
    except (KeyError, TypeError, IndexError):
        uuid = None
    if not isinstance(uuid, str) or not uuid:
        raise Poison("bad_record", "no uuid")
    return uuid


def _parties(record: TelephonyEvent) -> list[Party]:
    return [
        Party(
            party_id=party.id,
            extension_id=party.extension_id,
            account_id=party.account_id,
            code=party.status.code,
            reason=party.status.reason,
        )
        for party in record.notification.body.parties
    ]
