from __future__ import annotations

from dataclasses import replace

import pytest

from services.media_gateway.domain.correlation import Expectations, Invite, Mode, Role, Step, correlate
from services.media_gateway.domain.session import (
    Accept,
    AnnounceInvited,
    ClaimExpectation,
    Effect,
    Identify,
    Leg,
    Refuse,
    Release,
    Session,
    leg_id,
    on_expectations,
    on_gone,
)
from services.media_gateway.domain.sip_text import ApiIds

DEVICE, CALL, AGENT, CUSTOMER, OWN = "801", "s-1", "p-1-2", "p-1-1", "p-1-3"


def step(
    kind: str = "requested", party: str = AGENT, role: Role = "agent", *, mode: Mode = "party", at_s: float = 100.0,
    own: str = "", call: str = CALL, queue: str = "",
) -> Step:  # fmt: skip
    return Step(
        type=kind,
        call_id=call,
        mode=mode,
        party_id=party,
        role=role,
        device_id=DEVICE,
        supervisor_extension_id="700",
        supervisor_party_id=own,
        at_s=at_s,
        queue_id=queue,
    )


def known(*steps: Step) -> Expectations:
    out = Expectations()
    for one in steps:
        out = out.learn(one)
    return out


def invite(monitored: ApiIds | None = None, own: ApiIds | None = None, line: ApiIds | None = None) -> Invite:
    return Invite(device_id=DEVICE, monitored=monitored, own=own, line=line)


NAMED = invite(ApiIds(CALL, AGENT), ApiIds(CALL, OWN))
BARE = invite()


def outcome(one: Invite, expectations: Expectations, now_s: float = 101.0) -> tuple[str, str, str, str] | None:
    identity, _ = correlate(one, expectations, now_s)
    return None if identity is None else (identity.call_id, identity.party_id, identity.role, identity.role_source)


AGENT_KNOWN = (CALL, AGENT, "agent", "party_supervision")
AGENT_UNKNOWN = (CALL, AGENT, "unknown", "unknown")
MIXED = step(party="", role="mixed", mode="session")


@pytest.mark.parametrize(
    ("one", "expectations", "result"),
    [
        (NAMED, known(), AGENT_UNKNOWN),
        (NAMED, known(step()), AGENT_KNOWN),
        (NAMED, known(step(party=CUSTOMER, role="customer")), AGENT_UNKNOWN),
        (NAMED, known(step(call="s-2")), AGENT_UNKNOWN),
        (NAMED, known(step(role="unknown")), AGENT_UNKNOWN),
        (NAMED, known(step(party="1-2", call="1")), ("1", "1-2", "agent", "party_supervision")),
        (NAMED, known(MIXED), (CALL, AGENT, "mixed", "session_supervision")),
        # A party's and the session's request are both open: only RingCentral's reply can tell.
        (NAMED, known(step(), MIXED), AGENT_UNKNOWN),
        (NAMED, known(step(), MIXED, step("accepted", own=OWN)), AGENT_KNOWN),
        (NAMED, known(step(), replace(MIXED, type="accepted", supervisor_party_id="p-1-9")), AGENT_KNOWN),
        (NAMED, known(step(), step("degraded"), MIXED), (CALL, AGENT, "mixed", "session_supervision")),
        (NAMED, known(step(), step("failed")), AGENT_UNKNOWN),
        (NAMED, known(step(), step("ended")), AGENT_UNKNOWN),
        (NAMED, known(step(), step("failed"), step("retrying", at_s=105.0)), AGENT_KNOWN),
        # Our own party, named by the reply.
        (invite(own=ApiIds(CALL, OWN)), known(step("accepted", own=OWN)), AGENT_KNOWN),
        (
            invite(own=ApiIds(None, OWN)),
            known(step(own="x"), step("accepted", own=OWN), step(party=CUSTOMER, role="customer")),
            AGENT_KNOWN,
        ),
        # Nothing named: only a single pending request will do.
        (BARE, known(), None),
        (BARE, known(step()), AGENT_KNOWN),
        (BARE, known(step(), step(party=CUSTOMER, role="customer")), None),
        (BARE, known(step(), step("ended")), None),
        (invite(own=ApiIds(CALL, OWN)), known(step(), step(call="s-2", party="p-2-2")), AGENT_KNOWN),
        # A media line that names its party is believed before the header.
        (
            replace(NAMED, line=ApiIds(CALL, CUSTOMER)),
            known(step(), step(party=CUSTOMER, role="customer")),
            (CALL, CUSTOMER, "customer", "party_supervision"),
        ),
    ],
)
def test_whose_audio_an_invite_brings(
    one: Invite, expectations: Expectations, result: tuple[str, str, str, str] | None
) -> None:
    assert outcome(one, expectations) == result


def test_a_request_is_pending_for_a_minute_and_only_until_it_is_met() -> None:
    expectations = known(step(at_s=100.0))
    assert outcome(BARE, expectations, 159.9) == AGENT_KNOWN
    assert outcome(BARE, expectations, 160.0) is None
    assert outcome(BARE, expectations.claim((CALL, "party", AGENT))) is None
    assert outcome(NAMED, expectations.claim((CALL, "party", AGENT))) == AGENT_KNOWN


def session(one: Invite = NAMED) -> Session:
    legs = (Leg(port=30000, invite=one),)
    return Session(device_id=DEVICE, number=4, sip_call_id="cid", legs=legs, decide_by_s=102.0)


def kinds(effects: tuple[Effect, ...]) -> list[type]:
    return [type(effect) for effect in effects]


def test_an_expected_call_is_answered_and_claims_its_request() -> None:
    answered, effects = on_expectations(session(), known(step()), 101.0)
    assert kinds(effects) == [ClaimExpectation, AnnounceInvited, Accept]
    assert answered.legs[0].leg_id == leg_id(AGENT, "cid")
    assert answered.legs[0].leg_id.startswith(f"{AGENT}~")
    assert len(answered.legs[0].leg_id) == len(AGENT) + 9


def test_a_call_that_nobody_expects_waits_a_little_and_is_declined() -> None:
    waiting, effects = on_expectations(session(BARE), known(), 101.0)
    assert (waiting.phase, effects) == ("deciding", ())
    declined, effects = on_expectations(waiting, known(), 102.0)
    assert (declined.phase, effects) == ("gone", (Refuse(4, 603), Release(30000, "declined")))
    late, effects = on_expectations(waiting, known(step()), 101.5)
    assert (late.phase, kinds(effects)[-1]) == ("answered", Accept)


def test_an_unknown_role_is_corrected_once_and_a_known_one_never() -> None:
    answered, _ = on_expectations(session(), known(), 101.0)
    same, effects = on_expectations(answered, known(step(party=CUSTOMER, role="customer")), 103.0)
    assert effects == ()
    corrected, effects = on_expectations(same, known(step()), 104.0)
    assert kinds(effects) == [Identify, ClaimExpectation]
    assert corrected.legs[0].leg_id == answered.legs[0].leg_id
    again, effects = on_expectations(corrected, known(step(role="customer")), 105.0)
    assert (again, effects) == (corrected, ())


@pytest.mark.parametrize(
    ("steps", "queue"),
    [
        ((step(queue="62001"),), "62001"),
        ((step("accepted", own=OWN, queue="62001"),), "62001"),
        ((step(queue="62001"), step("accepted", own=OWN)), "62001"),
        ((step(queue="62001"), step("retrying", queue="62002")), "62002"),
        ((step(),), ""),
    ],
)
def test_a_leg_has_the_queue_of_its_request(steps: tuple[Step, ...], queue: str) -> None:
    answered, _ = on_expectations(session(), known(*steps), 101.0)
    assert answered.legs[0].identity is not None
    assert answered.legs[0].identity.queue_id == queue


def test_a_leg_that_came_before_its_request_learns_the_queue_with_the_role() -> None:
    early, _ = on_expectations(session(), known(), 101.0)
    assert early.legs[0].identity is not None
    assert early.legs[0].identity.queue_id == ""
    told, effects = on_expectations(early, known(step(queue="62001")), 101.2)
    assert effects[0] == Identify(told.legs[0])
    assert told.legs[0].identity is not None
    assert told.legs[0].identity.queue_id == "62001"


def test_a_recast_party_keeps_its_queue_until_another_is_told() -> None:
    asked = known(step(role="customer", own=OWN, queue="62001"))
    answered, _ = on_expectations(session(), asked, 101.0)
    for told, queue in (("", "62001"), ("62002", "62002")):
        recast = asked.learn(replace(step("retrying", role="agent", queue=told), recast=True))
        changed, _ = on_expectations(answered, recast, 110.0)
        assert changed.legs[0].identity is not None
        assert (changed.legs[0].identity.role, changed.legs[0].identity.queue_id) == ("agent", queue)


def test_party_that_is_recast_changes_its_role() -> None:
    asked = known(step(role="customer", own=OWN), step("accepted", role="customer", own=OWN))
    answered, _ = on_expectations(session(), asked, 101.0)
    recast = asked.learn(replace(step("retrying", role="agent"), recast=True))

    changed, effects = on_expectations(answered, recast, 105.0)

    assert kinds(effects) == [Identify, ClaimExpectation]
    assert (changed.legs[0].identity.role, changed.legs[0].leg_id) == ("agent", answered.legs[0].leg_id)
    assert on_expectations(changed, recast, 106.0) == (changed, ())


def test_two_named_lines_are_two_legs() -> None:
    legs = (
        Leg(port=30000, invite=replace(NAMED, line=ApiIds(CALL, AGENT))),
        Leg(port=30002, invite=replace(NAMED, line=ApiIds(CALL, CUSTOMER))),
    )
    both = replace(session(), legs=legs)
    answered, effects = on_expectations(both, known(step(), step(party=CUSTOMER, role="customer")), 101.0)
    assert [leg.identity.role for leg in answered.legs if leg.identity] == ["agent", "customer"]
    assert kinds(effects).count(Accept) == 1
    assert len({leg.leg_id for leg in answered.legs}) == 2


def test_the_end_releases_every_leg_once() -> None:
    answered, _ = on_expectations(session(), known(step()), 101.0)
    gone, effects = on_gone(answered, "bye")
    assert effects == (Release(30000, "bye"),)
    assert on_gone(gone, "bye")[1] == ()
    assert on_expectations(gone, known(step()), 101.0)[1] == ()
