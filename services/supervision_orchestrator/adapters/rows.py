"""A call's state to the bytes of its table row and back."""

from __future__ import annotations

import msgspec

from services.supervision_orchestrator.domain.call import CallState

_decoder = msgspec.json.Decoder(CallState)


def encode_row(state: CallState) -> bytes:
    """JSON; what stands at its default is written too, so that a row can be read by eye."""
    return msgspec.json.encode(state)


def decode_row(row: bytes) -> CallState:
    """The state; fields that a newer version wrote are ignored, those it lacks take their defaults.

    Raises msgspec.ValidationError for a row that is none of ours.
    """
    return _decoder.decode(row)
