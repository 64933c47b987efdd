"""What really happened to a call, to hold a supervisor's records against. Pure; times are the clock's seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from services.ringcentral_sim.domain.session import TALKING, Party

WhyNot = Literal["not_answered", "outside_groups", "no_supervisor", "too_short"]
Covered = Literal["both", "partly", "none"]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Change:
    """A party as it is from this moment on."""

    at_s: float
    party: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """An accepted supervise request: whom (`party_id` None: the session), and when it was heard, if it was."""

    supervisor_id: str
    device_id: str
    party_id: str | None
    requested_s: float
    heard_s: float | None
    ended_s: float | None


@dataclass(frozen=True, slots=True)
class AgentSpell:
    """From when until when an agent's party was Answered or on Hold; `left_s` None: still."""

    extension_id: str
    party_id: str
    answered_s: float
    left_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """`talk_s`: a monitored agent and somebody else were on the call. `both_s`: the part of it with both heard.

    `first_audio_s` counts from the start of that talk to the first leg that carried audio.
    """

    agents: tuple[AgentSpell, ...]
    eligible: bool
    why_not: WhyNot | None
    talk_s: float
    both_s: float
    covered: Covered
    first_audio_s: float | None
    double_supervised: int
    ended_s: float | None

    @property
    def supervisable(self) -> bool:
        """Somebody could have supervised it."""
        return self.why_not is None


def tell(
    changes: Sequence[Change],
    legs: Sequence[Supervised],
    *,
    is_agent: Callable[[str], bool],
    is_monitored: Callable[[str], bool],
    is_watched: Callable[[str], bool],
    min_talk_s: float,
    now: float,
) -> Truth:
    """The truth about one session up to `now`. The predicates take extension ids."""
    agents = tuple(_spells(changes, is_agent))
    monitored = {a.party_id for a in agents if is_monitored(a.extension_id)}
    talks = _talks(changes, monitored, now)
    talk_s = sum(end - start for start, end in talks)
    both = _both_heard(legs, monitored, now)
    both_s = sum(max(0.0, min(e, end) - max(s, start)) for start, end in talks for s, e in both)
    watched = any(is_watched(a.extension_id) for a in agents if a.party_id in monitored)
    heard = [leg.heard_s for leg in legs if leg.heard_s is not None]
    return Truth(
        agents=agents,
        eligible=bool(monitored),
        why_not=_why_not(agents, monitored, watched, talk_s < min_talk_s),
        talk_s=talk_s,
        both_s=both_s,
        covered="both" if both_s > 0 else "partly" if heard else "none",
        first_audio_s=min(heard) - talks[0][0] if heard and talks else None,
        double_supervised=sum(_clash(one, other, now) for one, other in combinations(legs, 2)),
        ended_s=_ended(changes),
    )


def _why_not(agents: Sequence[AgentSpell], monitored: set[str], watched: bool, short: bool) -> WhyNot | None:
    if not agents:
        return "not_answered"
    if not monitored:
        return "outside_groups"
    if not watched:
        return "no_supervisor"
    return "too_short" if short else None


def _spells(changes: Iterable[Change], is_agent: Callable[[str], bool]) -> Iterable[AgentSpell]:
    open_spells: dict[str, AgentSpell] = {}
    done: list[AgentSpell] = []
    for change in changes:
        party = change.party
        if party.supervisor or party.extension_id is None or not is_agent(party.extension_id):
            continue
        known = open_spells.get(party.id)
        if party.code in TALKING and known is None:
            open_spells[party.id] = AgentSpell(party.extension_id, party.id, change.at_s, None)
        elif party.code not in TALKING and known is not None:
            done.append(AgentSpell(known.extension_id, known.party_id, known.answered_s, change.at_s))
            del open_spells[party.id]
    return sorted([*done, *open_spells.values()], key=lambda spell: spell.answered_s)


def _talks(changes: Sequence[Change], monitored: set[str], now: float) -> list[Span]:
    """Spans in which a monitored agent and at least one more participant were on the call, joined where they meet."""
    spans: list[Span] = []
    on_call: set[str] = set()
    ends = [*(change.at_s for change in changes), now][1:]
    for change, end in zip(changes, ends, strict=True):
        party = change.party
        if not party.supervisor:
            (on_call.add if party.code in TALKING else on_call.discard)(party.id)
        if len(on_call) >= 2 and on_call & monitored and end > change.at_s:
            if spans and spans[-1][1] == change.at_s:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((change.at_s, end))
    return spans


def _both_heard(legs: Sequence[Supervised], monitored: set[str], now: float) -> list[Span]:
    """Spans with audio of a monitored agent and of another party, or of the whole session."""
    spans = [
        (leg.heard_s, now if leg.ended_s is None else leg.ended_s, leg.party_id)
        for leg in legs
        if leg.heard_s is not None
    ]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    both: list[Span] = []
    for start, end in pairwise(edges):
        heard = {party for s, e, party in spans if s <= start and end <= e}
        if None in heard or (heard & monitored and len(heard) > 1):
            both.append((start, end))
    return both


def _clash(one: Supervised, other: Supervised, now: float) -> bool:
    """Two requests at a time for the same target, or from two supervisors or devices."""
    first_end = now if one.ended_s is None else one.ended_s
    other_end = now if other.ended_s is None else other.ended_s
    if one.requested_s >= other_end or other.requested_s >= first_end:
        return False
    return one.party_id == other.party_id or (one.supervisor_id, one.device_id) != (
        other.supervisor_id,
        other.device_id,
    )


def _ended(changes: Sequence[Change]) -> float | None:
    latest = {change.party.id: change.party for change in changes}
    over = bool(latest) and not any(p.live and not p.supervisor for p in latest.values())
    if not over:
        return None
    return max(change.at_s for change in changes if not change.party.supervisor)
