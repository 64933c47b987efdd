"""Records to bytes and back: JSON values by orjson, audio metadata as headers, CloudEvents attributes.

Decoding is strict about types and enum values and lenient about fields it does not know. What cannot be decoded
raises Poison; its detail names the place, not the content.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import orjson

from services.chassis.clock import format_utc
from services.chassis.errors import Poison
from services.contracts.topics import Topic

RecordT = TypeVar("RecordT", bound=msgspec.Struct)
Headers = list[tuple[str, bytes]]
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def encode(record: msgspec.Struct) -> bytes:
    """The record's JSON value; times in UTC with Z."""
    return orjson.dumps(msgspec.to_builtins(record, builtin_types=(datetime,)), option=orjson.OPT_UTC_Z)


def decode(topic: Topic[RecordT], value: bytes | None) -> RecordT:
    """The record in a value. Raises Poison(`empty_value` | `bad_json` | `bad_record`)."""
    if not value:
        raise Poison("empty_value", f"{topic.name} wants a JSON object")
    decoder = _decoders.get(topic.record)
    if decoder is None:
        decoder = _decoders.setdefault(topic.record, msgspec.json.Decoder(topic.record))
    try:
        record: RecordT = decoder.decode(value)
    except msgspec.ValidationError as error:
        raise Poison("bad_record", _where(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Poison("bad_json", f"{topic.name} wants a JSON object") from None
    return record


def encode_headers(record: msgspec.Struct) -> Headers:
    """The record's fields as headers of UTF-8 text; unset optional ones are left out."""
    fields = msgspec.to_builtins(record, builtin_types=(datetime,))
    return [(name, _as_text(value)) for name, value in fields.items() if value is not None]


def decode_headers(topic: Topic[RecordT], headers: Iterable[tuple[str, bytes | None]] | None) -> RecordT:
    """The record in the headers. Raises Poison(`bad_headers`)."""
    try:
        fields = {name: value.decode() for name, value in headers or () if value is not None}
        return msgspec.convert(fields, topic.record, strict=False)
    except msgspec.ValidationError as error:
        raise Poison("bad_headers", _where(error)) from None
    except UnicodeDecodeError:
        raise Poison("bad_headers", "not UTF-8") from None


def cloud_event_headers(topic: Topic[Any], *, source: str, event_id: str, at: datetime, key: str) -> Headers:
    """CloudEvents 1.0 attributes (Kafka binding, binary mode) and a W3C traceparent.

    The trace id is derived from the key, so that all of a call's records are one trace without any service
    having to carry it along.
    """
    trace_id = hashlib.sha256(key.encode()).hexdigest()[:32]
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": f"/earshot/{source}",
        "ce_type": f"earshot.{topic.name}",
        "ce_time": format_utc(at),
        "content-type": "application/octet-stream" if topic.value_is_bytes else "application/json",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    return [(name, value.encode()) for name, value in attributes.items()]


def header(headers: Sequence[tuple[str, bytes | None]] | None, name: str) -> str | None:
    """The text of a header, or None."""
    found = next((value for key, value in headers or () if key == name), None)
    return None if found is None else found.decode(errors="replace")


def _as_text(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, datetime):
        return format_utc(value).encode()
    return str(value).encode()


def _where(error: msgspec.ValidationError) -> str:
    """msgspec's message without the offending value, which may be personal data."""
    text = str(error)
    if text.startswith("Invalid enum value"):
        place = text.rpartition(" - at ")[2]
        return f"unknown enum value at {place}"
    return text
