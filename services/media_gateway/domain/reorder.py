"""Reorder buffer: packets come in as the network brings them and leave in the order they were sent.

Rules:
1. A packet that continues the sequence leaves at once.
2. A packet after a hole waits until the hole is filled, or until the first packet behind the hole has waited
   `wait_ms`; then the hole is given up and everything up to the next hole leaves.
3. A packet behind what has left is late when its place was given up, else it is a duplicate. Neither leaves.
4. The first packet waits `wait_ms` too, because the ones sent before it may come after it.
5. A sequence that is more than `MAX_STEP` away from the expected one is another stream: everything held leaves,
   and the count starts anew without calling the difference a loss (RFC 3550, appendix A.1).
`flush` lets everything held leave, holes given up: nothing that was received is lost at the end of a leg.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.media_gateway.domain.rtp import RtpPacket

MAX_STEP = 3000
_REMEMBERED_HOLES = 512


@dataclass(frozen=True, slots=True)
class Released:
    """A packet in its turn: when it arrived (ms on the receiver's clock) and how many before it never came."""

    packet: RtpPacket
    arrived_ms: float
    lost_before: int


@dataclass(slots=True)
class ReorderBuffer:
    """One stream's buffer. Not thread-safe; times are milliseconds of any monotonic clock."""

    wait_ms: float
    received: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    _reference: int | None = None
    _next: int | None = None
    _held: dict[int, tuple[RtpPacket, float]] = field(default_factory=dict)
    _given_up: dict[int, None] = field(default_factory=dict)

    def push(self, packet: RtpPacket, now_ms: float) -> list[Released]:
        """Take one packet; return what leaves because of it, in order."""
        reference = self._reference if self._next is None else self._next
        if reference is None:
            reference = self._reference = packet.sequence
        step = ((packet.sequence - reference + 0x8000) & 0xFFFF) - 0x8000
        extended = reference + step
        if abs(step) > MAX_STEP:
            out = self.flush()
            self._given_up.clear()
            self.received += 1
            self._next = packet.sequence + 1
            out.append(Released(packet, now_ms, 0))
            return out
        if step < 0 and self._next is not None:
            if extended in self._given_up:
                del self._given_up[extended]
                self.late += 1
            else:
                self.duplicate += 1
            return []
        if extended in self._held:
            self.duplicate += 1
            return []
        self.received += 1
        if extended == self._next and not self._held:
            self._next = extended + 1
            return [Released(packet, now_ms, 0)]
        self._held[extended] = (packet, now_ms)
        return self._leave(now_ms)

    def tick(self, now_ms: float) -> list[Released]:
        """Return what leaves because its wait is over. Cheap when nothing is held."""
        return self._leave(now_ms) if self._held else []

    def flush(self) -> list[Released]:
        """Return everything held, in order, giving up all holes."""
        return self._leave(float("inf"))

    def _leave(self, now_ms: float) -> list[Released]:
        out: list[Released] = []
        lost_before = 0
        if self._held and self._next is None:
            if now_ms - min(arrived for _, arrived in self._held.values()) < self.wait_ms:
                return out
            self._next = min(self._held)
        while self._held and self._next is not None:
            waiting = self._held.pop(self._next, None)
            if waiting is not None:
                out.append(Released(waiting[0], waiting[1], lost_before))
                lost_before = 0
                self._next += 1
                continue
            if now_ms - min(arrived for _, arrived in self._held.values()) < self.wait_ms:
                break
            first = min(self._held)
            lost_before = first - self._next
            self._give_up(self._next, first)
            self._next = first
        return out

    def _give_up(self, start: int, end: int) -> None:
        self.lost += end - start
        for sequence in range(start, end):
            self._given_up[sequence] = None
        while len(self._given_up) > _REMEMBERED_HOLES:
            del self._given_up[next(iter(self._given_up))]
