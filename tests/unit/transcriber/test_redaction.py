"""Personal data in a leg's words: hidden, held back, in partials too and across utterances."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.cues import Ask, Asked, Topic
from services.transcriber.domain.digits import hear, luhn_valid
from services.transcriber.domain.partition_marks import PartitionMarks, read_note
from services.transcriber.domain.policy import Policy, Treatment, read_policy
from services.transcriber.domain.redaction import RedactionStream, TimedWord
from services.transcriber.domain.secret import Secret
from services.transcriber.domain.transcript import LegMark
from tests.unit.transcriber.scripted_speech import Script, ScriptedEngine, Session, chunks_of

CARD = "4111111111111111"
UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def _timed(text: str, at_ms: int = 0) -> list[TimedWord]:
    return [TimedWord(w, at_ms + 200 * i, at_ms + 200 * i + 200, 0.9) for i, w in enumerate(text.split())]


def _final(text: str) -> str:
    stream: RedactionStream[int] = RedactionStream()
    released = [*stream.final(0, _timed(text)), *stream.flush()]
    return released[0][1].text


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("four one one one", "4111"),
        ("4111-1111", "41111111"),
        ("4-7-29-8163,", "47298163"),
        ("double four one triple two", "441222"),
        ("forty one eleven", "4111"),
        ("forty-one ninety", "4190"),
        ("four oh nine o", "4090"),
        ("7.30 5", "7305"),
        ("four hundred", "400"),
    ],
)
def test_digits_are_heard_in_their_many_shapes(words: str, digits: str) -> None:
    assert "".join(heard.digits for heard in hear(words.split())) == digits


@pytest.mark.parametrize("words", ["oh I see", "a double room", "$45 please", "the 14th of March", "B12", "10:30"])
def test_what_only_looks_like_digits_is_none(words: str) -> None:
    assert not any(heard.digits for heard in hear(words.split()))


def test_the_check_digit() -> None:
    assert luhn_valid(CARD)
    assert not luhn_valid("4111111111111112")


@pytest.mark.parametrize(
    "number",
    [
        "4111-1111-1111-1111",
        "4111 1111 1111 1111",
        "4111111111111111",
        "four one one one one one one one one one one one one one one one",
        "four triple one double one double one double one double one double one double one",
        "4111 1111 uh and then 1111 1111",
        "3782 822463 10005",
        "4222222222222",
    ],
)
def test_a_card_is_hidden_whatever_its_shape(number: str) -> None:
    assert _final(f"it's on the card {number}, thank you") == "it's on the card [payment card], thank you"


def test_a_card_misheard_by_a_digit_is_hidden_too() -> None:
    assert _final("the card 4111 1111 1111 1112 please") == "the card [payment card] please"
    assert _final("take 4111 1111 1111 1112 please") == "take [number] please"


def test_remarks_between_the_groups_do_not_save_a_card() -> None:
    assert _final("4111 1111 yeah got it 1111 1111 thanks").split("thanks")[0].count("1") == 0


@pytest.mark.parametrize(
    "text",
    [
        "my account is 7390 2812 thank you so much",
        "the order was placed on 14 March 2024 for 59 dollars",
        "room 12 floor 3 building 44 and so on",
    ],
)
def test_shorter_numbers_stay(text: str) -> None:
    assert _final(text) == text


def test_redactions_point_at_their_marks_and_times() -> None:
    stream: RedactionStream[str] = RedactionStream()
    ((subject, safe),) = stream.final("u", _timed("card 4111 1111 1111 1111. okay now what do we do"))
    assert subject == "u"
    (redaction,) = safe.redactions
    assert safe.text[redaction.start : redaction.end] == "[payment card]"
    assert (redaction.start_ms, redaction.end_ms) == (200, 1_000)
    assert redaction.secret is Secret.PAYMENT_CARD
    assert [w.text for w in safe.words][:3] == ["card", "[payment card].", "okay"]


def _play(stream: RedactionStream[int], texts: list[str]) -> list[str]:
    shown = []
    for turn, text in enumerate(texts):
        shown += stream.final(turn, _timed(text, turn * 3_000))
    shown += stream.flush()
    assert [subject for subject, _ in shown] == list(range(len(texts)))
    return [safe.text for _, safe in shown]


def test_a_card_read_out_over_several_utterances_is_hidden() -> None:
    texts = ["sure it's 4111", "1111", "yeah", "1111", "1111", "did you get that all right then"]
    assert _play(RedactionStream(), texts) == [
        "sure it's [payment card]",
        "[payment card]",
        "yeah",
        "[payment card]",
        "[payment card]",
        "did you get that all right then",
    ]


def test_what_was_announced_is_hidden_at_once_and_goes_on_over_a_restart() -> None:
    first: RedactionStream[int] = RedactionStream()
    ((_, safe),) = first.final(0, _timed("my card number is 5425"))
    assert safe.text == "my card number is [payment card]"
    second: RedactionStream[int] = RedactionStream()
    second.go_on(first.asks)
    ((_, safe),) = second.final(1, _timed("2334 3010"))
    assert safe.text == "[payment card]"


def test_a_final_that_ends_in_digits_waits_and_is_let_go_in_time() -> None:
    stream: RedactionStream[int] = RedactionStream(hold_ms=4_000)
    assert stream.final(0, _timed("it is 739281")) == []
    assert stream.settle(4_599) == []
    ((_, safe),) = stream.settle(4_600)
    assert safe.text == "it is 739281"


@pytest.mark.parametrize(
    ("pause_ms", "first", "second"), [(3_999, "[number]", "[number]"), (4_000, "739281", "3904112")]
)
@pytest.mark.parametrize("known", [True, False])
def test_what_goes_on_is_told_by_the_pause_not_by_when_it_was_known(
    pause_ms: int, first: str, second: str, known: bool
) -> None:
    stream: RedactionStream[int] = RedactionStream()
    shown = stream.final(0, _timed("it is 739281"))
    if known:
        shown += stream.settle(600 + pause_ms)
    stream.partial(_timed("and I wanted to ask you about the", 600 + pause_ms))
    shown += [*stream.final(1, _timed("3904112 is that it", 600 + pause_ms)), *stream.flush()]
    assert [safe.text for _, safe in shown] == [f"it is {first}", f"{second} is that it"]


def test_finals_before_the_one_that_waits_do_not_wait_with_it() -> None:
    stream: RedactionStream[int] = RedactionStream()
    assert stream.final(0, _timed("it is 739281")) == []
    assert [subject for subject, _ in stream.final(1, _timed("we moved there and it was 4", 3_000))] == [0]
    assert [subject for subject, _ in stream.flush()] == [1]


def test_an_order_number_that_was_announced_does_not_wait() -> None:
    stream: RedactionStream[int] = RedactionStream()
    ((_, safe),) = stream.final(0, _timed("the order number is 5 8 2 7 4"))
    assert safe.text == "the order number is 5 8 2 7 4"


def test_a_partial_ends_before_what_may_become_private() -> None:
    stream: RedactionStream[int] = RedactionStream()
    assert stream.partial(_timed("my card is 4111")).text == "my card is"
    assert stream.partial(_timed("my card is 4111 1111")).text == "my card is"
    assert stream.partial(_timed("my card is 4111 1111 1111 1111")).text == "my card is [payment card]"
    assert stream.partial(_timed("I have 2 kids and")).text == "I have 2 kids and"
    assert stream.partial(_timed("I have 2")).text == "I have"
    assert stream.partial(_timed("my email is john dot")).text == "my email is"
    assert stream.partial(_timed("I was born in March")).text == "I was born in"
    assert stream.partial(_timed("my date of birth is the first")).text == "my date of birth is the"
    assert stream.partial(_timed("the email is contact")).text == "the email is"


def test_numbers_are_heard_in_the_language_that_is_spoken() -> None:
    said = "c'est quatre-vingt-dix douze trente-quatre cinquante-six soixante-dix-huit quatorze quinze onze merci"
    assert _play(RedactionStream(language="fr"), [said]) == ["c'est [number] merci"]
    assert _play(RedactionStream(), [said]) == [said]


def test_a_question_on_the_other_leg_tells_what_the_answer_is() -> None:
    agent: RedactionStream[int] = RedactionStream()
    agent.final(0, _timed("And what is your bank account number?"))
    customer: RedactionStream[int] = RedactionStream()
    assert agent.question == Ask(Topic.BANK, strong=True, at_ms=1_400)
    customer.answer(agent.question)
    assert _play(customer, ["Sure, it's 7390 2812."]) == ["Sure, it's [bank account]."]
    assert _play(RedactionStream(), ["Sure, it's 7390 2812."]) == ["Sure, it's 7390 2812."]


def test_a_mention_on_the_other_leg_does_not_unask() -> None:
    stream: RedactionStream[int] = RedactionStream()
    stream.final(0, _timed("my card number is"))
    stream.final(1, (), [Ask(Topic.OWN, strong=False, at_ms=0)])
    assert stream.asks is not None
    assert stream.asks.topic is Topic.CARD


def test_kinds_may_be_kept_or_shown_by_their_last_digits() -> None:
    policy = read_policy(" payment_card = last4, phone=keep ")
    stream: RedactionStream[int] = RedactionStream(policy=policy)
    assert _play(stream, ["my card is 5425 2334 3010 9903 and my phone is 617 555 0123 thank you"]) == [
        "my card is [payment card ending 9903] and my phone is 617 555 0123 thank you"
    ]
    assert stream.partial(_timed("my card is 5425 2334 3010 9903")).text == "my card is [payment card]"
    assert Policy().mark(Secret.EMAIL, "") == "[email]"
    assert policy.treatments == {Secret.PAYMENT_CARD: Treatment.LAST4, Secret.PHONE: Treatment.KEEP}


@pytest.mark.parametrize("text", ["fone=keep", "phone", "phone=show", "email=last5"])
def test_a_policy_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(ValueError, match=r"is none of|must be one of"):
        read_policy(text)
    with pytest.raises(ValueError, match=r"is none of|must be one of"):
        TranscriberSettings(TRANSCRIBER_REDACT=text)


def test_what_was_asked_survives_in_the_commits_note() -> None:
    marks = PartitionMarks()
    asked = Asked(Topic.SOCIAL, strong=True, age=3, direct=False, follows_number=True)
    marks.put("a", LegMark(words=5, asked=asked), 7)
    marks.put("b", LegMark(words=6), 8)
    again = read_note(marks.note()[0])
    assert again.get("a") == LegMark(words=5, asked=asked)
    assert again.get("b") == LegMark(words=6)


@given(
    asks=st.lists(
        st.tuples(st.integers(0, 10**7), st.sampled_from(Topic), st.booleans(), st.integers(-900, 20_000)), max_size=20
    ),
    starts=st.sampled_from([(-1, -1), (-1, 0), (0, 0), (0, 640), (32 * 1_000_003, 32 * 1_000_009)]),
)
def test_what_a_successor_hears_again_survives_in_the_commits_note(
    asks: list[tuple[int, Topic, bool, int]], starts: tuple[int, int]
) -> None:
    published_ms, judged_ms = starts
    mark = LegMark(
        language="en", published_ms=published_ms, judged_ms=judged_ms,
        asks=tuple((heard_ms, Ask(topic, strong, heard_ms - ago_ms)) for heard_ms, topic, strong, ago_ms in asks),
    )  # fmt: skip
    marks = PartitionMarks()
    marks.put("a", mark, 7)
    marks.put("b", LegMark(words=6), 8)
    again = read_note(marks.note()[0])
    assert again.get("a") == mark
    assert again.get("b") == LegMark(words=6)


def _shown_prefix(text: str, digits: str) -> int:
    """How many leading digits of a number a text shows in a row, anywhere in it."""
    shown = "".join(heard.digits if heard.digits else ("" if heard.filler else "|") for heard in hear(text.split()))
    return next((n for n in range(len(digits), 0, -1) if digits[:n] in shown), 0)


_cards = st.sampled_from([CARD, "5555555555554444", "378282246310005", "6011000990139424", "4222222222222"])


@given(
    card=_cards,
    groups=st.lists(st.integers(1, 6), min_size=4, max_size=8),
    styles=st.lists(st.booleans(), min_size=8, max_size=8),
    pauses_ms=st.lists(st.sampled_from([0, 0, 120, 320, 900, 1_800, 2_900]), min_size=20, max_size=20),
    sizes_ms=st.lists(st.integers(20, 600), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_no_record_ever_shows_the_beginning_of_a_card(
    card: str, groups: list[int], styles: list[bool], pauses_ms: list[int], sizes_ms: list[int]
) -> None:
    script = Script().pause(500).say("my card number is")
    at, turn = 0, 0
    while at < len(card):
        part = card[at : at + groups[turn % len(groups)]]
        if styles[turn % len(styles)]:
            script.say(part, word_ms=200)
        else:
            script.say(" ".join(UNITS[int(d)] for d in part), word_ms=160)
        script.pause(pauses_ms[turn % len(pauses_ms)])
        at, turn = at + len(part), turn + 1
    script.pause(300).say("and that was all of it thank you").pause(5_000)
    session = Session(ScriptedEngine(script.words)).hear(chunks_of(script.pcm16(), sizes_ms))
    texts = [t.safe.text for t in (*session.partials, *session.finals)]
    assert max(_shown_prefix(text, card) for text in texts) == 0
    assert _shown_prefix(" ".join(session.said), card) == 0
    assert "[payment card]" in " ".join(session.said)
    assert "thank you" in session.said[-1]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("I can upgrade you to our premium.", "I can upgrade you to our premium."),
        ("Sure, my name is Daniel.", "Sure, my name is Daniel."),
        ("Thank you for calling Harbor Internet.", "Thank you for calling Harbor Internet."),
        ("It is 42 Maple Street, Boston.", "It is 42 Maple Street, Boston."),
        ("Good morning.", "Good morning."),
        ("You can reach Daniel.", "You can reach"),
        ("Ask for Harbor Internet.", "Ask for"),
        ("It is Daniel at", "It is"),
        ("my name is Daniel at", "my name is"),
        ("it is j dot smith.", "it is"),
    ],
)
def test_a_partial_keeps_back_what_may_be_a_mailbox_and_shows_what_is_named_or_plain(said: str, shown: str) -> None:
    words = [TimedWord(word, 300 * at, 300 * at + 250) for at, word in enumerate(said.split())]
    assert RedactionStream[str]().partial(words).text == shown
