"""A call's row to the bytes of the table and back."""

from __future__ import annotations

import msgspec

from services.insights.domain.call import CallRow

_decoder = msgspec.json.Decoder(CallRow)


def encode_row(row: CallRow) -> bytes:
    """JSON, so that a row can be read by eye in the changelog."""
    return msgspec.json.encode(row)


def decode_row(value: bytes) -> CallRow:
    """The row; fields that a newer version wrote are ignored, those it lacks take their defaults.

    Raises msgspec.ValidationError for what is no row of ours.
    """
    return _decoder.decode(value)
