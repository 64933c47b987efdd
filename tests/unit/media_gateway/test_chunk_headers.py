"""What the headers of a chunk say, and what they leave out."""

from __future__ import annotations

import pytest

from services.chassis.records import decode_headers, encode_headers
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import AUDIO_CHUNKS
from services.media_gateway.adapters.chunk_topic import ChunkTopic
from services.media_gateway.domain.correlation import Identity
from services.media_gateway.domain.leg_stream import Chunk

CHUNK = Chunk(sequence=3, media_time_ms=600, duration_ms=20, arrived_ms=620.0, gap_before_ms=0, audio=bytes(160))


@pytest.mark.parametrize("queue", ["", "62001"])
def test_a_chunk_names_the_queue_where_it_is_known_and_else_has_no_such_header(queue: str) -> None:
    identity = Identity(
        call_id="s-1", party_id="p-1-2", role="agent", role_source="party_supervision", queue_id=queue
    )  # fmt: skip
    publisher = FakePublisher()
    ChunkTopic(publisher)("p-1-2~0a0b0c0d", identity, 1_000_000, CHUNK, 1_000_000.0)

    (message,) = publisher.messages
    named = decode_headers(AUDIO_CHUNKS, message.headers)
    assert (named.call_id, named.role, named.queue_id) == ("s-1", "agent", queue or None)
    assert [value for name, value in message.headers if name == "queue_id"] == ([queue.encode()] if queue else [])
    assert message.headers == encode_headers(named)
