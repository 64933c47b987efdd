"""The call state machine: every way a supervise call can go, in virtual time."""

from __future__ import annotations

import pytest

from services.ringcentral_sim.sip.call import (
    Acknowledge,
    ByeReceived,
    Call,
    Effect,
    Ended,
    Established,
    Event,
    FlowLost,
    HungUp,
    Phase,
    Refused,
    Replied,
    Retransmit,
    Transmit,
    Unanswered,
    Woke,
    decide,
    next_wake,
    place,
)


def invite_reply(code: int, reason: str = "x") -> Replied:
    return Replied(method="INVITE", code=code, reason=reason)


def run(*events: Event, reliable: bool = True) -> tuple[Call, list[Effect]]:
    """Feed events one second apart; return the call and what it did after the INVITE."""
    call, _ = place(reliable=reliable, t1_s=0.5, answer_timeout_s=10, now=0)
    done: list[Effect] = []
    for second, event in enumerate(events, start=1):
        call, effects = decide(call, event, float(second))
        done += effects
    return call, done


def until_quiet(call: Call) -> list[tuple[float, Effect]]:
    """Let time pass until no timer is left."""
    done: list[tuple[float, Effect]] = []
    while (at := next_wake(call)) is not None:
        call, effects = decide(call, Woke(), at)
        done += [(at, effect) for effect in effects]
    return done


def test_an_answered_call_is_acknowledged_and_ends_by_our_bye() -> None:
    call, done = run(invite_reply(100), invite_reply(200), HungUp(), Replied(method="BYE", code=200, reason="OK"))
    assert done == [Acknowledge(success=True), Established(), Transmit("BYE"), Ended("bye_sent")]
    assert call.phase is Phase.ENDED
    assert next_wake(call) is None


def test_a_repeated_answer_is_acknowledged_again() -> None:
    _, done = run(invite_reply(200), invite_reply(200))
    assert done == [Acknowledge(success=True), Established(), Acknowledge(success=True)]


def test_the_client_may_hang_up() -> None:
    _, done = run(invite_reply(200), ByeReceived(), ByeReceived(), HungUp())
    assert done[2:] == [Ended("bye_received")]


def test_over_udp_the_invite_is_repeated_at_doubling_intervals_until_the_answer_is_overdue() -> None:
    call, _ = place(reliable=False, t1_s=0.5, answer_timeout_s=10, now=0)
    done = until_quiet(call)
    assert done == [
        (0.5, Retransmit("INVITE")),
        (1.5, Retransmit("INVITE")),
        (3.5, Retransmit("INVITE")),
        (7.5, Retransmit("INVITE")),
        (10, Unanswered()),
    ]


def test_over_a_stream_nothing_is_repeated() -> None:
    call, _ = place(reliable=True, t1_s=0.5, answer_timeout_s=10, now=0)
    assert until_quiet(call) == [(10, Unanswered())]


def test_a_provisional_answer_stops_the_repeats_and_allows_the_cancel() -> None:
    call, _ = run(invite_reply(180), reliable=False)
    done = until_quiet(call)
    assert done[:2] == [(10, Transmit("CANCEL")), (10, Unanswered())]
    assert {effect for _, effect in done[2:]} == {Retransmit("CANCEL")}


def test_a_cancel_waits_for_a_provisional_answer() -> None:
    _, done = run(HungUp(), invite_reply(100), invite_reply(487))
    assert done == [Transmit("CANCEL"), Acknowledge(success=False)]


def test_an_answer_that_crosses_the_cancel_is_taken_and_ended() -> None:
    _, done = run(invite_reply(180), HungUp(), invite_reply(200))
    assert done == [Transmit("CANCEL"), Acknowledge(success=True), Transmit("BYE")]


@pytest.mark.parametrize("reliable", [True, False])
def test_a_refusal_is_acknowledged_and_told(reliable: bool) -> None:
    call, done = run(invite_reply(486, "Busy Here"), reliable=reliable)
    assert done == [Acknowledge(success=False), Refused(status=486, reason="Busy Here")]
    assert call.phase is (Phase.ENDED if reliable else Phase.REFUSED)


def test_over_udp_a_repeated_refusal_is_acknowledged_again_but_told_once() -> None:
    call, done = run(invite_reply(486), invite_reply(486), reliable=False)
    assert done[2:] == [Acknowledge(success=False)]
    assert until_quiet(call) == []


def test_a_bye_without_answer_is_repeated_and_then_given_up() -> None:
    call, _ = run(invite_reply(200), HungUp(), reliable=False)
    done = until_quiet(call)
    assert [at - 2 for at, _ in done[:5]] == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert done[-1] == (34, Ended("bye_unanswered"))


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], [Refused(status=503, reason="Flow Lost")]),
        ([invite_reply(200)], []),
        ([invite_reply(200), HungUp()], [Ended("bye_lost")]),
    ],
)
def test_a_lost_connection_refuses_new_calls_and_spares_established_ones(
    before: list[Event], expected: list[Effect]
) -> None:
    _, earlier = run(*before)
    _, done = run(*before, FlowLost())
    assert done[len(earlier) :] == expected
