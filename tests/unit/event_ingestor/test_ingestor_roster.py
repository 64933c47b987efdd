from __future__ import annotations

from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.filters import session_filters
from services.event_ingestor.domain.roster import Member, assemble, diff, held_permissions, monitored


def member(extension_id: str, group_id: str = "31", permissions: tuple[str, ...] = ("Monitored",)) -> Member:
    return Member(
        group_id=group_id,
        group_name=f"Desk {group_id}",
        extension_id=extension_id,
        extension_number="1" + extension_id,
        permissions=held_permissions(permissions),
    )


def test_both_permissions_of_a_member_count_wherever_they_stand():
    assert held_permissions(["Monitoring", "Monitored"]) == ("monitored", "monitoring")
    assert held_permissions(["Monitoring"]) == ("monitoring",)
    assert held_permissions([]) == held_permissions(["Whispering"]) == ()
    roster = assemble([member("301", permissions=("Monitoring", "Monitored"))], {})
    assert monitored(roster) == {"301"}


def test_memberships_of_several_groups_are_one_entry():
    roster = assemble(
        [member("301", "32"), member("301", "31", ("Monitoring",)), member("300", "31", ())], {"301": "A"}
    )
    assert list(roster) == ["301"]
    entry = roster["301"]
    assert [(group.group_id, group.permissions) for group in entry.groups] == [
        ("31", ("monitoring",)),
        ("32", ("monitored",)),
    ]
    assert (entry.name, entry.extension_number) == ("A", "1301")


def test_diff_tells_new_changed_and_gone():
    before = assemble([member("301"), member("302"), member("303")], {})
    after = assemble([member("301"), member("302", permissions=("Monitoring",)), member("304")], {})
    changed, left = diff(before, after)
    assert [entry.extension_id for entry in changed] == ["302", "304"]
    assert left == ["303"]
    assert diff(after, after) == ([], [])


def test_one_filter_an_extension_in_a_stable_order():
    assert session_filters(frozenset({"302", "301"})) == [
        "/restapi/v1.0/account/~/extension/301/telephony/sessions",
        "/restapi/v1.0/account/~/extension/302/telephony/sessions",
    ]


def test_seen_forgets_the_oldest():
    seen = Seen(limit=2)
    seen.add("a")
    seen.add("b")
    assert "a" in seen
    seen.add("c")
    assert ("a" in seen, "b" in seen, "c" in seen) == (True, False, True)
