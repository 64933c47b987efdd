"""Every topic that screens live on, read from its own example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.assist_gateway.adapters.topics import (
    OUTLINE,
    RECENT,
    ROSTER,
    Change,
    MemberChanged,
    Removed,
    change_from,
    lane_of,
)
from services.assist_gateway.domain.access import Member
from services.assist_gateway.domain.board import Update
from services.assist_gateway.domain.reach import Place
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import decode
from services.contracts import topics

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"


def read(topic: topics.Topic[Any], value: bytes | None, key: str) -> Change:
    return change_from(
        Incoming(
            topic=topic, full_name=f"earshot.{topic.name}", partition=3, offset=11, key=key, value=value, headers=(),
            timestamp_ms=7,
        )
    )  # fmt: skip


def example(name: str, **changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return record | changes


def told(topic: topics.Topic[Any], record: dict[str, Any]) -> Update:
    change = read(topic, json.dumps(record).encode(), record["call_id"])
    assert isinstance(change, Update)
    return change


@pytest.mark.parametrize(
    ("topic", "name", "kind"),
    [
        (topics.CALLS_STATE, "call-state", "state"),
        (topics.CALLS_LIFECYCLE, "call-lifecycle", "lifecycle"),
        (topics.TRANSCRIPTS_PARTIAL, "utterance", "utterance"),
        (topics.TRANSCRIPTS_FINAL, "utterance", "utterance"),
        (topics.TRANSCRIPTS_LEGS, "transcript-leg", "transcript_leg"),
        (topics.ASSIST_SUGGESTIONS, "suggestion", "suggestion"),
        (topics.ASSIST_FEEDBACK, "suggestion-feedback", "feedback"),
        (topics.CALLS_INSIGHTS, "call-insight", "insight"),
        (topics.ALERTS, "alert", "alert"),
        (topics.CALLS_SUMMARY, "call-summary", "summary"),
        (topics.CALLS_RECORDINGS, "call-recording", "recording"),
        (topics.SUPERVISION_EVENTS, "supervision-event", "supervision"),
        (topics.MEDIA_LEGS, "media-leg", "leg"),
    ],
)
def test_each_topic_becomes_an_update(topic: topics.Topic[Any], name: str, kind: str) -> None:
    record = example(name)
    update = told(topic, record)
    assert (update.kind, update.call_id, update.at_ms) == (kind, record["call_id"], 7)
    assert update.place == Place(lane_of(topic, 3), 11)
    assert decode(topic, update.record) == decode(topic, json.dumps(record).encode())


def test_all_followed_topics_are_covered_above() -> None:
    assert len({topic.name for topic in RECENT + OUTLINE + ROSTER}) == 14


def test_later_partials_rank_higher_and_the_final_highest() -> None:
    def rank(revision: int, is_final: bool) -> tuple[int, int]:
        record = example("utterance", revision=revision, is_final=is_final)
        return told(topics.TRANSCRIPTS_PARTIAL, record).rank

    assert rank(0, False) < rank(7, False) < rank(1, True) == rank(9, True)


def test_ended_calls_are_known_by_state_or_lifecycle() -> None:
    assert told(topics.CALLS_STATE, example("call-state", status="ended")).ended
    assert not told(topics.CALLS_STATE, example("call-state", status="held")).ended
    assert told(topics.CALLS_LIFECYCLE, example("call-lifecycle", type="ended")).ended
    assert not told(topics.CALLS_LIFECYCLE, example("call-lifecycle", type="answered")).ended


def test_agent_of_a_state_is_unknown_where_it_names_none() -> None:
    assert told(topics.CALLS_STATE, example("call-state", agent_extension_id="")).agent_extension_id is None
    assert told(topics.CALLS_STATE, example("call-state", agent_extension_id="7")).agent_extension_id == "7"


def test_a_decision_on_a_suggestion_outranks_its_being_shown() -> None:
    shown = told(topics.ASSIST_FEEDBACK, example("suggestion-feedback", action="shown", at="2026-03-02T16:00:00.000Z"))
    taken = told(
        topics.ASSIST_FEEDBACK, example("suggestion-feedback", action="accepted", at="2026-03-02T15:00:00.000Z")
    )
    assert taken.rank > shown.rank


def test_roster_entries_become_members_and_tombstones_remove_them() -> None:
    groups = [
        {"group_id": "g1", "permissions": ["monitored", "monitoring"]},
        {"group_id": "g2", "permissions": ["monitoring"]},
    ]
    record = example("roster-entry", extension_id="7", groups=groups)
    member = Member(
        monitored_in=frozenset({"g1"}), monitoring_in=frozenset({"g1", "g2"}), name=record["name"],
        extension_number=record["extension_number"],
    )  # fmt: skip
    topic = topics.MONITORING_ROSTER
    assert read(topic, json.dumps(record).encode(), "7") == MemberChanged(extension_id="7", member=member)
    assert read(topic, None, "7") == MemberChanged(extension_id="7", member=None)


def test_tombstones_withdraw_only_on_compacted_topics() -> None:
    assert read(topics.CALLS_SUMMARY, None, "c1") == Removed(kind="summary", call_id="c1")
    with pytest.raises(Poison, match="empty_value"):
        read(topics.TRANSCRIPTS_FINAL, None, "c1")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "bad_json"),
        (b"[]", "bad_record"),
        (json.dumps(example("utterance", role="boss")).encode(), "bad_record"),
        (json.dumps(example("utterance", call_id="another")).encode(), "wrong_key"),
    ],
)
def test_what_cannot_be_read_is_poison(value: bytes, reason: str) -> None:
    with pytest.raises(Poison) as poison:
        read(topics.TRANSCRIPTS_FINAL, value, example("utterance")["call_id"])
    assert poison.value.reason == reason


def test_roster_entry_under_a_foreign_key_is_poison() -> None:
    with pytest.raises(Poison, match="wrong_key"):
        read(topics.MONITORING_ROSTER, json.dumps(example("roster-entry")).encode(), "another")


def test_lanes_of_topics_are_told_apart_and_never_renamed() -> None:
    """Cursors outlive a deployment: a changed name would make every screen's cursor worthless, a shared one wrong."""
    names = {lane_of(topic, 0)[0]: topic.name for topic in RECENT + OUTLINE}
    assert names == {
        "st": "calls.state.v1", "lc": "calls.lifecycle.v1", "tp": "transcripts.partial.v1",
        "tf": "transcripts.final.v1", "tl": "transcripts.legs.v1", "sg": "assist.suggestions.v1",
        "fb": "assist.feedback.v1", "in": "calls.insights.v1", "al": "alerts.v1", "sm": "calls.summary.v1",
        "rc": "calls.recordings.v1", "sv": "supervision.events.v1", "ml": "media.legs.v1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "item", "overview"),
    [
        ("call-insight", {"kind": "sentiment", "role": "customer", "insight_id": "i"}, "i", "sentiment/customer"),
        ("call-insight", {"kind": "category", "label": "billing", "insight_id": "i"}, "i", "category/billing"),
        ("call-insight-2", {}, "dynamics", "dynamics"),
        ("call-insight-3", {}, "checklist", "checklist"),
        ("call-insight-4", {"handed_on_from": ""}, "summary", ""),
        ("call-insight-4", {"handed_on_from": "s-0"}, "handed_on", ""),
    ],
)
def test_insights_that_tell_the_whole_replace_each_other(
    name: str, changes: dict[str, Any], item: str, overview: str
) -> None:
    update = told(topics.CALLS_INSIGHTS, example(name, **changes))
    assert (update.item_id, update.overview) == (item, overview)


def test_the_end_of_a_call_is_in_its_overview_with_the_outcome() -> None:
    assert told(topics.CALLS_LIFECYCLE, example("call-lifecycle", type="ended")).overview == "ended"
    assert told(topics.CALLS_LIFECYCLE, example("call-lifecycle", type="held")).overview == ""
