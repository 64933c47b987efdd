"""Every example passes its schema and survives the codec; every topic and record is tied together."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml

from services.chassis.errors import Poison
from services.chassis.records import decode, decode_headers, encode, encode_headers
from services.contracts import topics

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "schemas" / "examples").glob("*.json"))
SCHEMAS = {p.name.removesuffix(".schema.json"): json.loads(p.read_text()) for p in (ROOT / "schemas/events").glob("*")}


def schema_of(example: Path) -> dict[str, object]:
    stem = example.stem
    return SCHEMAS[stem] if stem in SCHEMAS else SCHEMAS[stem.rpartition("-")[0]]


def topic_of(example: Path) -> topics.Topic[msgspec.Struct]:
    title = schema_of(example)["title"]
    return next(t for t in topics.ALL if t.record.__name__ == title)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_example_is_valid_and_survives_the_codec(example: Path) -> None:
    given = json.loads(example.read_text())
    schema = schema_of(example)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(given, schema)
    topic = topic_of(example)
    if topic.value_is_bytes:
        record = msgspec.convert(given, topic.record)
        assert decode_headers(topic, encode_headers(record)) == record
        return
    record = decode(topic, example.read_bytes())
    written = json.loads(encode(record))
    jsonschema.validate(written, schema)
    assert decode(topic, encode(record)) == record


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_readers_ignore_unknown_fields_and_refuse_wrong_types(example: Path) -> None:
    topic = topic_of(example)
    given = json.loads(example.read_text())
    if topic.value_is_bytes:
        headers = [(k, str(v).encode()) for k, v in given.items() if not isinstance(v, bool)]
        decode_headers(topic, [*headers, ("from_the_future", b"1")])
        with pytest.raises(Poison) as caught:
            decode_headers(topic, [h for h in headers if h[0] != "call_id"])
        assert caught.value.reason == "bad_headers"
        return
    decode(topic, json.dumps({**given, "from_the_future": {"a": 1}}).encode())
    required = str(schema_of(example)["required"][0])  # type: ignore[index]
    with pytest.raises(Poison) as caught:
        decode(topic, json.dumps({**given, required: 7}).encode())
    assert caught.value.reason == "bad_record"


def test_every_record_has_an_example_and_a_topic() -> None:
    stems = {p.stem for p in EXAMPLES}
    used = {yaml.safe_load(p.read_text())["record"] for p in (ROOT / "schemas/topics").glob("*.yaml")}
    assert SCHEMAS.keys() <= stems
    assert used == SCHEMAS.keys()


def test_call_keyed_topics_are_partitioned_alike() -> None:
    """Tables keyed by call need it; audit is nobody's input."""
    counts = {t.partitions for t in topics.ALL if t.key == "call_id" and t.consumers}
    assert counts == {12}
