from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media_gateway.domain.reorder import ReorderBuffer
from services.media_gateway.domain.rtp import RtpPacket

WAIT_MS = 80


def packet(number: int) -> RtpPacket:
    return RtpPacket(0, False, number & 0xFFFF, (number * 160) & 0xFFFFFFFF, 7, b"x" * 160)


def run(arrivals: Sequence[tuple[float, int]], *, until_ms: float | None = None) -> tuple[list[int], ReorderBuffer]:
    """Push packets by number at their times; returns the sequence numbers that left, in order."""
    buffer = ReorderBuffer(WAIT_MS)
    left = []
    for at_ms, number in arrivals:
        left += buffer.tick(at_ms)
        left += buffer.push(packet(number), at_ms)
    left += buffer.flush() if until_ms is None else buffer.tick(until_ms)
    return [released.packet.sequence for released in left], buffer


def in_pace(*numbers: int) -> list[tuple[float, int]]:
    return [(20.0 * place, number) for place, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("numbers", "leave", "counts"),
    [
        # numbers as they arrive; (lost, late, duplicate)
        ((1, 2, 3, 4), [1, 2, 3, 4], (0, 0, 0)),
        ((1, 3, 2, 4), [1, 2, 3, 4], (0, 0, 0)),
        ((2, 1, 3, 4), [1, 2, 3, 4], (0, 0, 0)),
        ((1, 2, 2, 3, 3), [1, 2, 3], (0, 0, 2)),
        ((1, 4, 4, 2, 3, 5), [1, 2, 3, 4, 5], (0, 0, 1)),
        ((1, 2, 4, 5), [1, 2, 4, 5], (1, 0, 0)),
        ((65534, 65535, 0, 1), [65534, 65535, 0, 1], (0, 0, 0)),
        ((65534, 0, 65535, 1), [65534, 65535, 0, 1], (0, 0, 0)),
        ((1, 2, 20000, 20001), [1, 2, 20000, 20001], (0, 0, 0)),
    ],
)
def test_loss_patterns(numbers: tuple[int, ...], leave: list[int], counts: tuple[int, int, int]) -> None:
    left, buffer = run(in_pace(*numbers))
    assert left == leave
    assert (buffer.lost, buffer.late, buffer.duplicate) == counts
    assert buffer.received == len(leave)


def test_a_hole_is_given_up_when_the_first_packet_behind_it_has_waited() -> None:
    arrivals = [(0.0, 1), (100.0, 2), (120.0, 4), (140.0, 5)]
    assert run(arrivals, until_ms=199.9)[0] == [1, 2]
    assert run(arrivals, until_ms=200.0)[0] == [1, 2, 4, 5]


def test_a_packet_after_its_hole_was_given_up_is_late_and_stays_lost() -> None:
    left, buffer = run([(0.0, 1), (100.0, 2), (120.0, 4), (250.0, 5), (260.0, 3)])
    assert left == [1, 2, 4, 5]
    assert (buffer.lost, buffer.late, buffer.duplicate) == (1, 1, 0)


def test_the_size_of_each_hole_comes_with_the_packet_behind_it() -> None:
    buffer = ReorderBuffer(WAIT_MS)
    released = []
    for at_ms, number in [(0.0, 10), (100.0, 11), (120.0, 14), (140.0, 16)]:
        released += buffer.push(packet(number), at_ms)
    released += buffer.flush()
    assert [(r.packet.sequence, r.lost_before) for r in released] == [(10, 0), (11, 0), (14, 2), (16, 1)]


@given(
    start=st.integers(0, 0xFFFF),
    count=st.integers(1, 60),
    lost=st.sets(st.integers(0, 59)),
    shuffle=st.lists(st.integers(0, 3), min_size=60, max_size=60),
)
def test_whatever_arrives_within_the_wait_leaves_once_and_in_order(
    start: int, count: int, lost: set[int], shuffle: list[int]
) -> None:
    sent = [n for n in range(count) if n not in lost]
    arrivals = sorted((n * 20.0 + shuffle[n] * 20.0, n) for n in sent)
    left, buffer = run([(at_ms, start + n) for at_ms, n in arrivals])
    assert left == [(start + n) & 0xFFFF for n in sent]
    assert buffer.late == buffer.duplicate == 0
    if sent:
        assert buffer.lost == sent[-1] - sent[0] + 1 - len(sent)
