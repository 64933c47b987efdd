from __future__ import annotations

from collections.abc import Iterable

from services.media_gateway.domain.g711 import mu_law_from_a_law
from services.media_gateway.domain.leg_stream import Chunk, LegStream, StreamSettings
from services.media_gateway.domain.rtp import RtpPacket, build_rtp

SOURCE = ("192.0.2.1", 4000)
OFFSET_MS = 50.0


def audio(number: int, size: int = 160) -> bytes:
    return bytes([number & 0x7F]) * size


def frame(
    number: int, *, timestamp: int | None = None, ssrc: int = 7, payload_type: int = 0, payload: bytes | None = None
) -> bytes:
    at = 1000 + 160 * number if timestamp is None else timestamp
    body = audio(number) if payload is None else payload
    return build_rtp(RtpPacket(payload_type, False, number & 0xFFFF, at & 0xFFFFFFFF, ssrc, body))


class Listener:
    """Feeds a stream, 20 ms a number unless told otherwise, and keeps what comes out."""

    def __init__(self, **settings: int) -> None:
        self.stream = LegStream(StreamSettings(**settings), OFFSET_MS)
        self.chunks: list[Chunk] = []

    def hear(self, numbers: Iterable[int], *, shift_ms: float = 0.0, **frame_options: int) -> None:
        for number in numbers:
            self.at(number * 20.0 + shift_ms, frame(number, **frame_options))

    def at(self, now_ms: float, datagram: bytes, source: tuple[str, int] = SOURCE) -> None:
        self.chunks += self.stream.tick(now_ms)
        self.chunks += self.stream.push(datagram, source, now_ms)

    def finish(self, now_ms: float = 10_000.0) -> list[Chunk]:
        self.chunks += self.stream.finish(now_ms)
        return self.chunks

    @property
    def heard(self) -> bytes:
        return b"".join(chunk.audio for chunk in self.chunks)

    @property
    def spans(self) -> list[tuple[int, int, int]]:
        return [(c.media_time_ms, c.duration_ms, c.gap_before_ms) for c in self.chunks if not c.end]


def test_an_undisturbed_leg_is_whole_in_chunks_of_200_ms_with_an_end_marker() -> None:
    listener = Listener()
    listener.hear(range(25))
    chunks = listener.finish()
    assert listener.heard == b"".join(audio(n) for n in range(25))
    assert listener.spans == [(50, 200, 0), (250, 200, 0), (450, 100, 0)]
    assert [c.sequence for c in chunks] == [0, 1, 2, 3]
    assert [c.end for c in chunks] == [False, False, False, True]
    assert (chunks[-1].audio, chunks[-1].media_time_ms) == (b"", 550)
    assert chunks[0].arrived_ms == 9 * 20
    counts = listener.stream.counts
    assert (counts.packets_received, counts.packets_lost, counts.received_ms, counts.lost_ms) == (25, 0, 500, 0)


def test_a_leg_that_was_never_heard_has_its_end_marker_alone() -> None:
    chunks = Listener().finish(400.0)
    assert [(c.end, c.sequence, c.media_time_ms) for c in chunks] == [(True, 0, 450)]


def test_jitter_does_not_move_the_clock() -> None:
    listener = Listener()
    for number in range(20):
        listener.at(number * 20.0 + (number * 7 % 5) * 12, frame(number))
    listener.finish()
    assert listener.spans == [(50, 200, 0), (250, 200, 0)]


def test_lost_packets_cut_the_chunk_and_are_told_as_a_gap() -> None:
    listener = Listener()
    listener.hear(n for n in range(20) if n not in (5, 6, 7))
    listener.finish()
    assert listener.spans == [(50, 100, 0), (210, 200, 60), (410, 40, 0)]
    assert listener.heard == b"".join(audio(n) for n in range(20) if n not in (5, 6, 7))
    counts = listener.stream.counts
    assert (counts.packets_lost, counts.lost_ms, counts.resyncs) == (3, 60, 0)


def test_reordered_packets_are_put_right_and_what_waits_at_the_end_is_kept() -> None:
    listener = Listener()
    listener.hear([0, 2, 1, 3, 4, 5, 6, 8, 9])
    listener.finish()
    assert listener.heard == b"".join(audio(n) for n in (0, 1, 2, 3, 4, 5, 6, 8, 9))


def test_dtmf_events_and_stray_four_byte_payloads_are_no_audio() -> None:
    listener = Listener()
    listener.hear(range(5))
    listener.at(100.0, frame(5, payload_type=101, payload=b"\x05\x0a\x00\xa0"))
    listener.at(120.0, frame(6, payload=b"\x05\x8a\x00\xa0"))
    listener.hear(range(7, 10))
    listener.finish()
    assert listener.heard == b"".join(audio(n) for n in (0, 1, 2, 3, 4, 7, 8, 9))
    counts = listener.stream.counts
    assert (counts.dtmf_dropped, counts.packets_lost, counts.lost_ms) == (2, 0, 0)
    assert listener.spans[1][2] == 40


def test_silence_that_was_not_sent_is_a_gap_but_no_loss() -> None:
    listener = Listener()
    listener.hear(range(5))
    for number in range(5, 10):  # 600 ms later in timestamp and in time: silence suppression
        listener.at(number * 20.0 + 600, frame(number, timestamp=1000 + 160 * number + 4800))
    listener.finish()
    assert listener.spans == [(50, 100, 0), (750, 100, 600)]
    assert listener.stream.counts.lost_ms == 0
    assert listener.stream.counts.resyncs == 0


def test_a_sender_that_pauses_without_moving_its_clock_is_anchored_anew() -> None:
    listener = Listener()
    listener.hear(range(10))
    listener.hear(range(10, 20), shift_ms=3000)
    listener.finish()
    assert listener.spans == [(50, 200, 0), (3250, 200, 3000)]


def test_a_network_stall_ends_in_a_burst_and_keeps_the_clock() -> None:
    listener = Listener()
    listener.hear(range(10))
    for number in range(10, 160):  # three seconds of packets delivered at once
        listener.at(200.0 + 3000, frame(number))
    listener.hear(range(160, 170))
    listener.finish()
    assert len(listener.heard) == 170 * 160
    assert all(gap == 0 for _, _, gap in listener.spans)
    assert listener.spans[-1][:2] == (50 + 160 * 20, 200)


def test_timestamps_that_jump_are_no_audio_lost() -> None:
    listener = Listener()
    listener.hear(range(10))
    for number in range(10, 20):
        listener.at(number * 20.0, frame(number, timestamp=900_000_000 + number * 160))
    listener.finish()
    assert listener.spans == [(50, 200, 0), (250, 200, 0)]
    assert listener.stream.counts.lost_ms == 0
    assert listener.stream.counts.resyncs == 1


def test_timestamps_wrap() -> None:
    listener = Listener()
    for number in range(20):
        listener.at(number * 20.0, frame(number, timestamp=0xFFFFFFFF - 800 + number * 160))
    listener.finish()
    assert listener.spans == [(50, 200, 0), (250, 200, 0)]


def test_a_new_stream_of_the_same_source_is_taken_over() -> None:
    listener = Listener()
    listener.hear(range(8))
    for number in range(8, 18):
        listener.at(number * 20.0, frame(number + 500, timestamp=77 + number * 160, ssrc=8))
    listener.finish()
    assert len(listener.heard) == 18 * 160
    assert [c.sequence for c in listener.chunks] == list(range(len(listener.chunks)))
    assert listener.spans[-1][0] + listener.spans[-1][1] == 50 + 18 * 20
    counts = listener.stream.counts
    assert (counts.packets_received, counts.packets_lost) == (18, 0)


def test_packets_from_elsewhere_are_refused_while_the_source_is_heard() -> None:
    listener = Listener()
    for number in range(10):
        listener.at(number * 20.0, frame(number))
        listener.at(number * 20.0 + 1, frame(number + 9000, ssrc=99), source=("198.51.100.9", 1))
    listener.finish()
    assert listener.heard == b"".join(audio(n) for n in range(10))
    assert listener.stream.counts.packets_foreign == 10


def test_the_source_may_move_once_it_has_fallen_silent() -> None:
    listener = Listener()
    listener.hear(range(10))
    moved = ("192.0.2.2", 5000)
    for number in range(10, 20):
        listener.at(number * 20.0 + 2500, frame(number, timestamp=1000 + 160 * number + 20_000), source=moved)
    listener.finish()
    assert len(listener.heard) == 20 * 160


def test_a_law_leaves_as_mu_law() -> None:
    listener = Listener()
    payload = bytes(range(160))
    listener.at(0.0, frame(0, payload_type=8, payload=payload))
    listener.finish()
    assert listener.heard == mu_law_from_a_law(payload)


def test_an_open_chunk_does_not_wait_for_ever() -> None:
    listener = Listener()
    listener.hear(range(4))
    listener.chunks += listener.stream.tick(60.0 + 299)
    assert listener.spans == []
    listener.chunks += listener.stream.tick(60.0 + 300)
    assert listener.spans == [(50, 80, 0)]


def test_time_never_goes_back_on_a_leg() -> None:
    listener = Listener()
    listener.hear(range(100, 150))
    listener.hear(range(150, 160), timestamp=3)
    listener.finish()
    ends = [start + duration for start, duration, _ in listener.spans]
    starts = [start for start, _, _ in listener.spans]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
