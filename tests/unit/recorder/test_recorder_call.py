from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.recorder.domain.call import Leg, OpenCall, channels_of, file_stem, is_complete, layout_of, with_chunk

LIMITS = {"grace_ms": 5_000, "idle_ms": 120_000}


def chunk(
    call: OpenCall, leg: str, at_ms: int, *, role: str = "agent", end: bool = False, now_s: float = 0.0
) -> OpenCall:
    return with_chunk(
        call, leg_id=leg, role=role, media_time_ms=at_ms, duration_ms=0 if end else 200, gap_before_ms=0, end=end,
        now_s=now_s,
    )  # type: ignore[arg-type]  # fmt: skip


def test_complete_once_every_leg_and_the_call_have_ended() -> None:
    call = chunk(chunk(OpenCall(call_id="s-1"), "a", 0), "c", 0, role="customer")
    call = chunk(call, "a", 200, end=True)
    assert not is_complete(OpenCall(call_id="s-1", legs=call.legs, call_ended=True), 1.0, **LIMITS)
    call = chunk(call, "c", 200, end=True)
    assert not is_complete(call, 1.0, **LIMITS)
    assert is_complete(OpenCall(call_id="s-1", legs=call.legs, call_ended=True), 1.0, **LIMITS)


def test_a_lost_end_marker_is_waited_for_and_then_given_up() -> None:
    call = OpenCall(call_id="s-1", legs=chunk(OpenCall(call_id="s-1"), "a", 0).legs, call_ended=True, last_chunk_s=10.0)
    assert not is_complete(call, 14.9, **LIMITS)
    assert is_complete(call, 15.0, **LIMITS)


def test_a_call_whose_end_was_never_told_is_closed_when_idle() -> None:
    call = chunk(OpenCall(call_id="s-1"), "a", 0, end=True, now_s=10.0)
    assert not is_complete(call, 129.0, **LIMITS)
    assert is_complete(call, 130.0, **LIMITS)


def test_agent_left_customer_right_and_the_unknown_on_both() -> None:
    legs = [Leg(leg_id="a", role="agent"), Leg(leg_id="c", role="customer"), Leg(leg_id="u")]
    assert layout_of(legs) == "stereo"
    assert [channels_of(leg, "stereo") for leg in legs] == [(0,), (1,), (0, 1)]


def test_a_session_supervised_call_is_one_channel() -> None:
    legs = [Leg(leg_id="m", role="mixed")]
    assert layout_of(legs) == "mixed"
    assert channels_of(legs[0], "mixed") == (0,)


def test_a_role_once_known_stays() -> None:
    call = chunk(OpenCall(call_id="s-1"), "a", 0, role="unknown")
    call = chunk(chunk(call, "a", 200, role="agent"), "a", 400, role="unknown")
    assert call.legs["a"].role == "agent"


@given(st.lists(st.integers(0, 50), min_size=1), st.randoms(use_true_random=False))
def test_a_replay_in_any_order_ends_at_the_same_place(positions: list[int], random: object) -> None:
    call = OpenCall(call_id="s-1")
    for position in positions:
        call = chunk(call, "a", position * 200)
    again = call
    for position in positions:
        again = chunk(again, "a", position * 200)
    assert again.legs["a"].end_ms == call.legs["a"].end_ms == max(positions) * 200 + 200
    assert again.legs["a"].start_ms == min(positions) * 200


def test_file_names_hold_nothing_but_safe_characters() -> None:
    assert file_stem(OpenCall(call_id="s-a0/../d7")) == "s-a0_.._d7"
    late = chunk(OpenCall(call_id="s-1"), "a", 61_000)
    assert file_stem(late) == "s-1+61000"
