"""What is published is a function of the audio: not of when decodes are done, nor of where a worker dies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.chassis.consumer import Incoming
from services.chassis.errors import EarshotError, Transient
from services.chassis.records import header
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS, TRANSCRIPTS_PARTIAL
from services.transcriber.adapters.chunk_handler import ChunkHandler, LegLimits
from services.transcriber.adapters.decode_pool import Answer
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.domain.endpointing import EndpointRules
from services.transcriber.domain.recognition import Quality, Recognition, RecognitionRequest
from services.transcriber.domain.scheduling import DecodeJob
from tests.unit.transcriber.scripted_speech import DoubtingEngine, LoudnessDetector, QueuedPool, Script, ScriptedEngine
from tests.unit.transcriber.test_chunk_handler import TOPIC, messages

AGENT, CUSTOMER = "p-1~00000001", "p-2~00000002"
Published = list[tuple[object, ...]]


class Chance(random.Random):
    """Delays in turns of the consume loop, from a seed; ``longest`` 0: all is decoded at once."""

    def __init__(self, seed: int, longest: int) -> None:
        super().__init__(seed)
        self.longest = longest

    def turns(self) -> int:
        return self.randrange(self.longest + 1) if self.longest else 0


class LatePool(QueuedPool):
    """Each decode is done some turns after it was asked for."""

    def __init__(self, engine: ScriptedEngine, chance: Chance) -> None:
        super().__init__(engine)
        self.chance = chance
        self.turn = 0
        self.running: list[tuple[int, DecodeJob]] = []

    def load(self) -> tuple[int, int, int]:
        return 0, 0, 0

    @property
    def busy(self) -> bool:
        return bool(self.running) or len(self.queue) > 0

    def answers(self) -> Sequence[Answer]:
        while (job := self.queue.take()) is not None:
            self.running.append((self.turn + self.chance.turns(), job))
        done = [entry for entry in self.running if entry[0] <= self.turn]
        self.running = [entry for entry in self.running if entry[0] > self.turn]
        self.turn += 1
        return [(job, self._recognized(job), 0) for _, job in sorted(done, key=lambda entry: entry[0])]

    def _recognized(self, job: DecodeJob) -> Recognition | None:
        try:
            return self.engine.recognize(job.request())
        except EarshotError:
            return None


class Life:
    """One worker from a note to its death; what it has published by then is committed with its progress."""

    def __init__(self, words: Sequence[str], chance: Chance, note: str = "") -> None:
        self.publisher = FakePublisher()
        self.pool = LatePool(DoubtingEngine(words), chance)
        clock = FakeClock()
        self.handler = ChunkHandler(
            detectors=lambda rate_hz: LoudnessDetector(), pool=self.pool, publisher=self.publisher,
            writer=TranscriptWriter(self.publisher, ScriptedEngine.identity, clock), clock=clock,
            limits=LegLimits(rules=EndpointRules()),
        )  # fmt: skip
        self.handler.assigned(TOPIC, 0, note)

    def hear(self, log: Sequence[Incoming]) -> None:
        for message in log:
            self.handler.handle(message)
            self.handler.idle()

    def end(self) -> None:
        while self.pool.busy:
            self.handler.idle()

    def progress(self, position: int) -> tuple[int, str]:
        return self.handler.safe_offset(TOPIC, 0, position), self.handler.note(TOPIC, 0)

    @property
    def finals(self) -> Published:
        return [
            (u.utterance_id, u.text, tuple((r.type, r.start, r.end, r.start_ms, r.end_ms) for r in u.redactions))
            for u in self.publisher.records(TRANSCRIPTS_FINAL)
        ]

    @property
    def legs(self) -> Published:
        return [(leg.leg_id, leg.status, leg.utterances, leg.words) for leg in self.publisher.records(TRANSCRIPTS_LEGS)]


def published(
    log: Sequence[Incoming], words: Sequence[str], *, seed: int = 0, longest: int = 0, deaths: Sequence[int] = ()
) -> tuple[Published, Published]:
    """All finals and the legs' records of workers that follow each other, each dying before a message."""
    finals: Published = []
    legs: Published = []
    for life in lives(log, words, seed=seed, longest=longest, deaths=deaths):
        finals, legs = finals + life.finals, legs + life.legs
    return sorted(finals, key=str), sorted(legs, key=str)


def lives(
    log: Sequence[Incoming], words: Sequence[str], *, seed: int = 0, longest: int = 0, deaths: Sequence[int] = ()
) -> list[Life]:
    """Workers that follow each other, each dying before a message."""
    chance = Chance(seed, longest)
    out: list[Life] = []
    offset, note = 0, ""
    for stop in (*sorted(deaths), len(log)):
        if offset <= stop:
            life = Life(words, chance, note)
            life.hear(log[offset:stop])
            if stop == len(log):
                life.end()
            out.append(life)
            offset, note = life.progress(stop)
    return out


def call(*turns: tuple[str, int, str]) -> tuple[list[Incoming], list[str]]:
    """A call's log and its words: who speaks, after what pause behind the end of the turn before, what."""
    words: list[str] = []
    scripts = {leg: Script(words=words) for leg in (AGENT, CUSTOMER)}
    at_ms = 500
    for leg, pause_ms, text in turns:
        script = scripts[leg]
        start_ms = max(at_ms + pause_ms, script.at_ms)
        script.spoken += [(0, 0)] * (len(words) - len(script.spoken))
        script.pause(start_ms - script.at_ms).say(text)
        at_ms = script.at_ms
    until_ms = max(script.at_ms for script in scripts.values()) + 1_000
    for script in scripts.values():
        script.pause(until_ms - script.at_ms)
    both = [messages(script, leg=leg) for leg, script in scripts.items()]
    log = [message for pair in zip(*both, strict=True) for message in pair]
    numbered = [
        Incoming(**{**{name: getattr(m, name) for name in m.__struct_fields__}, "offset": offset})
        for offset, m in enumerate(log)
    ]
    return numbered, words


def shifted(message: Incoming, *, by_ms: int) -> Incoming:
    """The same audio on a clock that began so much earlier."""
    epoch = datetime.fromisoformat(header(message.headers, "epoch") or "") - timedelta(milliseconds=by_ms)
    media_time_ms = int(header(message.headers, "media_time_ms") or "") + by_ms
    changed = {"media_time_ms": str(media_time_ms).encode(), "epoch": epoch.isoformat().encode()}
    headers = tuple((dict(message.headers) | changed).items())
    return Incoming(
        **{**{name: getattr(message, name) for name in message.__struct_fields__}, "headers": headers}
    )  # fmt: skip


def says(request: RecognitionRequest, word: int) -> bool:
    """Whether a word, by its number from 1, is in the audio."""
    return word.to_bytes(2, "little") * 100 in request.pcm16


def texts(found: Published) -> list[object]:
    """What was said, in the order of its ids."""
    return [text for _, text, _ in found]


ASKED_AND_ANSWERED = call(
    (AGENT, 0, "hello what is your bank account number"),
    (CUSTOMER, 400, "sure it is 73902812 thanks"),
    (AGENT, 300, "and what is your date of birth please"),
    (CUSTOMER, 100, "that is 12 1984 okay now"),
)
GOES_ON_AFTER_THE_HOLD = call((CUSTOMER, 0, "it is 411111"), (CUSTOMER, 5_000, "1111 111111 there you go"))
GOES_ON_WITHIN_THE_HOLD = call((CUSTOMER, 0, "it is 411111"), (CUSTOMER, 3_000, "1111 111111 there you go"))
CUE_CUT_FROM_ITS_NUMBER = call(
    (CUSTOMER, 0, "i am going to give you now my card"),
    (CUSTOMER, 900, "number is 4111 okay then what else do you need from me"),
)
NAME_CUT_FROM_ITS_HOST = call((CUSTOMER, 0, "so here it comes John"), (CUSTOMER, 900, "at gmail dot com okay"))


CALLS = [
    (ASKED_AND_ANSWERED, {"sure it is [bank account] thanks", "that is [date of birth] okay now"}),
    (GOES_ON_AFTER_THE_HOLD, {"it is 411111"}),
    (GOES_ON_WITHIN_THE_HOLD, {"it is [payment card]", "[payment card] there you go"}),
    (CUE_CUT_FROM_ITS_NUMBER, {"number is [payment card] okay then what else do you need from me"}),
    (NAME_CUT_FROM_ITS_HOST, set()),
]
NAMES = ["asked", "after the hold", "within the hold", "cue", "name"]


@pytest.mark.parametrize(("played", "said"), CALLS, ids=NAMES)
@pytest.mark.parametrize("longest", [0, 4, 15, 40])
def test_a_final_does_not_depend_on_when_it_was_decoded(
    played: tuple[list[Incoming], list[str]], said: set[str], longest: int
) -> None:
    log, words = played
    expected = published(log, words)
    assert said <= set(texts(expected[0]))
    for seed in range(8):
        assert published(log, words, seed=seed, longest=longest) == expected


@pytest.mark.parametrize("played", [played for played, _ in CALLS], ids=NAMES)
def test_a_final_does_not_depend_on_where_a_worker_died(played: tuple[list[Incoming], list[str]]) -> None:
    log, words = played
    expected = published(log, words)
    for stop in range(1, len(log)):
        assert published(log, words, deaths=[stop]) == expected, stop
        assert published(log, words, deaths=[stop], seed=stop, longest=12) == expected, stop


@pytest.mark.parametrize("played", [played for played, _ in CALLS], ids=NAMES)
def test_what_is_decoded_again_is_decoded_behind_the_same_audio(played: tuple[list[Incoming], list[str]]) -> None:
    log, words = played

    def asked(deaths: Sequence[int]) -> set[tuple[Quality, bytes, tuple[bytes, ...]]]:
        requests = [r for life in lives(log, words, deaths=deaths) for r in life.pool.engine.requests]
        return {(r.quality, r.pcm16, r.before) for r in requests if r.quality is not Quality.PARTIAL}

    alive = asked([])
    assert any(quality is Quality.AGAIN for quality, _, _ in alive)
    for stop in range(1, len(log), 3):
        assert asked([stop]) == alive


@pytest.mark.parametrize("leg", [AGENT, CUSTOMER])
def test_the_clocks_of_two_legs_may_begin_at_different_times(leg: str) -> None:
    log, words = ASKED_AND_ANSWERED
    expected = published(log, words)[0]
    later = [shifted(m, by_ms=60_000) if header(m.headers, "leg_id") == leg else m for m in log]
    found = published(later, words)[0]
    assert sorted(map(str, texts(found))) == sorted(map(str, texts(expected)))


def test_an_utterance_that_cannot_be_decoded_holds_nobody_up() -> None:
    log, words = ASKED_AND_ANSWERED
    life = Life(words, Chance(0, 0))
    life.pool.engine = ScriptedEngine(words, lambda request: Transient("no") if says(request, 1) else None)
    life.hear(log)
    life.end()
    said = texts(sorted(life.finals, key=str))
    assert "hello what is your bank account number" not in said
    assert "sure it is 73902812 thanks" in said
    assert {leg[1] for leg in life.legs} == {"failed", "complete"}


def test_a_leg_that_falls_silent_or_never_speaks_holds_nobody_up() -> None:
    log, words = ASKED_AND_ANSWERED
    for heard in (0, 9, 20):
        kept = [m for m in log if header(m.headers, "leg_id") == CUSTOMER or m.offset < heard]
        life = Life(words, Chance(0, 0))
        life.hear(kept)
        said = [u.text for u in life.publisher.records(TRANSCRIPTS_FINAL) if u.leg_id == CUSTOMER]
        assert len(said) == 2


_agents = st.sampled_from(
    ["what is your card number", "and your date of birth", "okay", "the account number at the bank", "my card",
     "your order number", "what is your email", "number please", "the last four", "of your social security",
     "let me see now", "your card number please so that we can go on"]
)  # fmt: skip
_customers = st.sampled_from(
    ["it is 411111", "1111 111111", "73902812 thanks", "my card", "number is 5425", "2334", "my name is John Smith",
     "at gmail dot com", "john at", "march fourteenth", "1984", "um", "12 1984 okay then", "my order", "number 4 7 1 1",
     "1234", "in order", "order 123 45 6789", "yes", "and the social", "DE89", "3704 0044 0532", "with savings",
     "number is 4111 okay then what else"]
)  # fmt: skip
_pauses = st.sampled_from([-2_500, -900, -200, 100, 300, 700, 1_300, 2_900, 3_600, 4_300, 6_000])
_turns = st.lists(
    st.one_of(st.tuples(st.just(AGENT), _pauses, _agents), st.tuples(st.just(CUSTOMER), _pauses, _customers)),
    min_size=3,
    max_size=12,
)


@given(
    turns=_turns,
    seed=st.integers(0, 10_000),
    longest=st.sampled_from([0, 3, 10, 30]),
    deaths=st.lists(st.floats(0.0, 1.0), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_no_schedule_changes_what_is_published(
    turns: list[tuple[str, int, str]], seed: int, longest: int, deaths: list[float]
) -> None:
    log, words = call(*turns)
    expected = published(log, words)
    ids = [one[0] for one in expected[0]]
    assert all(one != other for one, other in pairwise(ids))
    stops = sorted({int(death * len(log)) for death in deaths})
    assert published(log, words, seed=seed, longest=longest, deaths=stops) == expected


@given(
    turns=_turns,
    seed=st.integers(0, 10_000),
    longest=st.sampled_from([0, 3, 10, 30]),
    deaths=st.lists(st.floats(0.0, 1.0), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_no_partial_shows_a_number_that_the_final_hides(
    turns: list[tuple[str, int, str]], seed: int, longest: int, deaths: list[float]
) -> None:
    """Whatever the other leg has asked for meanwhile, and though that was not decoded yet.

    Order numbers are taken at their word, though they may turn out to have been the beginning of a card.
    """
    assume(not any("order" in text for _, _, text in turns))
    log, words = call(*turns)
    stops = sorted({int(death * len(log)) for death in deaths})
    shown = [life.publisher for life in lives(log, words, seed=seed, longest=longest, deaths=stops)]
    finals = {u.utterance_id: u for publisher in shown for u in publisher.records(TRANSCRIPTS_FINAL)}
    for partial in (u for publisher in shown for u in publisher.records(TRANSCRIPTS_PARTIAL)):
        marks = {(r.start_ms, r.end_ms) for r in partial.redactions}
        hidden = finals[partial.utterance_id].redactions
        for word in partial.words:
            visible = (word.start_ms, word.end_ms) not in marks and any(c.isdecimal() for c in word.text)
            inside = any(r.start_ms <= word.start_ms and word.end_ms <= r.end_ms for r in hidden)
            assert not (visible and inside), (partial.text, finals[partial.utterance_id].text)
