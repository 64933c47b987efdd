"""Which extensions go into which subscription, where one does not take them all. Pure."""

from __future__ import annotations

from collections.abc import Mapping

Shards = Mapping[int, frozenset[str]]
"""The extensions of each subscription, by its number; none is empty unless it is the only one."""

MOST_SUBSCRIPTIONS = 25
"""RingCentral allows a user thirty for an app; some are left to others."""


def spread(current: Shards, wanted: frozenset[str], most: int) -> dict[int, frozenset[str]]:
    """`wanted` in shards of at most `most`. Who has a place keeps it: a shard that changes is subscribed anew."""
    shards = {number: frozenset(sorted(held & wanted)[:most]) for number, held in current.items()}
    waiting = sorted(wanted.difference(*shards.values()))
    for number in sorted(shards):
        room = most - len(shards[number])
        shards[number] |= frozenset(waiting[:room])
        waiting = waiting[room:]
    number = max(shards, default=0)
    while waiting:
        number += 1
        shards[number] = frozenset(waiting[:most])
        waiting = waiting[most:]
    return {number: held for number, held in shards.items() if held} or {1: frozenset()}


def fewer(most: int, refused: int, wanted: int, status: int, error_code: str) -> int:
    """How many filters to try in one subscription after one of `refused` filters was refused; `most` to leave it.

    What RingCentral says to too many is not documented: a 400 or 413 that is none of the subscriptions' own codes
    (SUB-…) is taken for it. It is halved, but never so far that there were too many subscriptions.
    """
    if status not in (400, 413) or error_code.startswith("SUB-"):
        return most
    least = -(-wanted // MOST_SUBSCRIPTIONS)
    return min(most, max(least, refused // 2, 1))
