"""What the assist gateway really sends and takes is what schemas/screens.asyncapi.yaml says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
import yaml

from services.assist_gateway.adapters import protocol, requests
from services.assist_gateway.adapters.topics import OUTLINE, RECENT, change_from
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import (
    Agent,
    Changed,
    Gone,
    ListenEnded,
    Listening,
    Message,
    Refused,
    Resumed,
    Session,
    Skipped,
    Snapshot,
)
from services.chassis.consumer import Incoming
from services.contracts.topics import TRANSCRIPTS_PARTIAL, Topic

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
DOCUMENT = yaml.safe_load((ROOT / "schemas" / "screens.asyncapi.yaml").read_text())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
STEMS = {p.stem: json.loads(p.read_text()) for p in sorted(EXAMPLES.glob("*.json"))}


class Nobody:
    def watched(self, viewer: Viewer, call_id: str, detail: str) -> None: ...

    def refused(self, viewer: Viewer, call_id: str, detail: str) -> None: ...


def check(name: str, payload: Any) -> None:
    schema = {**DOCUMENT, "$ref": f"#/components/messages/{name}/payload"}
    jsonschema.Draft202012Validator(schema).validate(payload)


def stem_of(topic: Topic[Any]) -> str:
    described = [yaml.safe_load(p.read_text()) for p in (ROOT / "schemas" / "topics").glob("*.yaml")]
    return str(next(d["record"] for d in described if d["name"] == topic.name))


def updates() -> list[Update]:
    """One update of each followed topic, and of each further example."""
    made = []
    for topic in OUTLINE + RECENT:
        stem = stem_of(topic)
        for name in [name for name in STEMS if re.fullmatch(rf"{stem}(-\d+)?", name)]:
            record = {**STEMS[name], "call_id": "s-1"}
            if topic is TRANSCRIPTS_PARTIAL:
                record |= {"is_final": False, "utterance_id": "partial"}
            change = change_from(
                Incoming(topic=topic, full_name=topic.name, partition=3, offset=len(made), key="s-1",
                         value=json.dumps(record).encode(), headers=(), timestamp_ms=0)
            )  # fmt: skip
            assert isinstance(change, Update)
            made.append(change)
    return made


@pytest.mark.parametrize("update", updates(), ids=lambda u: f"{u.kind}/{u.item_id}")
def test_every_kind_of_update(update: Update) -> None:
    agent = Agent("7", "Emily", "101") if update.kind == "state" else None
    (line,) = protocol.encode(Changed(update, agent))
    told = json.loads(line)
    check("update", told)
    assert protocol.type_of(line).decode() == update.kind == told["type"]
    assert told["at"] == f"{update.place.lane[0]}3:{update.place.offset}"


def test_every_kind_is_told() -> None:
    assert {update.kind for update in updates()} == set(get_args(Kind))
    assert set(MESSAGES["update"]["payload"]["properties"]["type"]["enum"]) == set(get_args(Kind))


@pytest.mark.parametrize("detail", ["full", "overview"])
def test_snapshots(detail: Any) -> None:
    floor = Floor(Nobody())
    for update in updates():
        floor.take(update)
    session = Session(viewer=Viewer(subject="x", role="admin"), limit=10, wake=lambda: None)
    floor.open(session)
    floor.watch_all(session, detail)
    (message,) = floor.next_messages(session)
    (line,) = protocol.encode(message)
    told = json.loads(line)
    check("snapshot", told)
    (call,) = told["calls"]
    said = ("utterances", "suggestions", "feedback", "legs", "transcript_legs", "supervision")
    assert all(bool(call[name]) == (detail == "full") for name in said)
    assert all(call[name] for name in ("state", "summary", "recording", "alerts", "insights"))
    check(
        "snapshot", json.loads(next(iter(protocol.encode(Snapshot(cursor={}, calls=(), complete=False, call_id="s")))))
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resumed", Resumed(cursor={("tf", 3): 7})),
        ("gone", Gone(call_id="s-1")),
        ("skipped", Skipped(count=4)),
        ("listening", Listening(call_id="s-1", stream=4)),
        ("error", Refused(code="not_permitted", call_id="s-1")),
        *(
            ("listen_ended", ListenEnded(call_id="s-1", stream=4, reason=reason))
            for reason in ("stopped", "replaced", "call_ended", "not_permitted")
        ),
    ],
)
def test_other_messages(name: str, message: Message) -> None:
    (line,) = protocol.encode(message)
    check(name, json.loads(line))
    assert protocol.type_of(line).decode() == name


def test_the_documents_requests_are_read_and_no_others_exist() -> None:
    sent = [m["$ref"].rpartition("/")[2] for m in DOCUMENT["operations"]["screen.send"]["messages"]]
    tags = set()
    for name in sent:
        for example in MESSAGES[name]["examples"]:
            check(name, example["payload"])
            text = json.dumps(example["payload"])
            tags.add(example["payload"]["type"])
            if name == "hello":
                requests.parse_hello(text)
            else:
                requests.parse(text)
    known = {str(msgspec.inspect.type_info(kind).tag) for kind in get_args(requests.Request)}  # type: ignore[attr-defined]
    assert tags == known | {"hello"}
