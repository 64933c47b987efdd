"""Articles are cut into passages, questions are told from the rest, and the right passage is found or none."""

from __future__ import annotations

import pytest

from services.insights.adapters.files import SAMPLE_KNOWLEDGE, load_passages
from services.insights.domain.articles import Passage, read_article
from services.insights.domain.questions import find_inquiry, is_inquiry
from services.insights.domain.retrieval import Bm25Index, best_sentences
from services.insights.domain.text import sentences, stem, terms

INDEX = Bm25Index(load_passages(SAMPLE_KNOWLEDGE))
THRESHOLD = 0.33


def answer(question: str) -> tuple[str, str] | None:
    inquiry = find_inquiry(question)
    hits = INDEX.find(inquiry) if inquiry else ()
    if not hits or hits[0].confidence < THRESHOLD:
        return None
    return hits[0].passage.source, hits[0].passage.section


def test_an_article_becomes_passages_with_title_link_and_lead() -> None:
    text = '---\ntitle: "Reset: how"\nurl: https://x.example/r\n---\n# Other\nFor *slow* lines.\n\n## Do it\nHold it.\n'
    assert read_article("a/reset.md", text) == (
        Passage(
            source="a/reset.md", title="Reset: how", section="Do it", text="Hold it.", url="https://x.example/r",
            lead="For slow lines.",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("", []),
        ("# Only a title\n", []),
        ("# Title\nSome text.", [("Title", "", "Some text.")]),
        ("Some text.", [("plain", "", "Some text.")]),
        ("# T\n## One\nA [link](http://x).\nMore.\n## Empty\n", [("T", "One", "A link. More.")]),
    ],
)
def test_articles_without_front_matter(markdown: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(p.title, p.section, p.text) for p in read_article("plain.md", markdown)] == expected


@pytest.mark.parametrize(
    "family",
    [
        ("cancel", "cancelled", "cancelling", "cancellation", "cancels"),
        ("connect", "connection", "connected", "connecting"),
        ("deliver", "delivery", "delivered", "deliveries"),
        ("refund", "refunds", "refunded"),
        ("move", "moving", "moved"),
        ("address", "addresses"),
    ],
)
def test_inflections_meet_in_one_stem(family: tuple[str, ...]) -> None:
    assert len({stem(word) for word in family}) == 1


def test_terms_leave_out_what_says_nothing() -> None:
    assert terms("How do I reset my Wi-Fi?") == (stem("reset"), "wifi")
    assert sentences("Wait. What? ... No!") == ("Wait.", "What?", "No!")


@pytest.mark.parametrize(
    ("sentence", "asks"),
    [
        ("How do I reset my router?", True),
        ("Can I also pay my bill by card today", True),
        ("I need a new router.", True),
        ("My internet has been down since yesterday.", True),
        ("The phone is still not here.", True),
        ("And what about the fee?", True),
        ("The light stays red.", True),
        ("My name is Grace Miller.", False),
        ("Okay.", False),
        ("Yes, it is fifteen River Street, Boston.", False),
        ("Thank you for your help today.", False),
        ("No, thank you. You have been very kind.", False),
    ],
)
def test_what_asks_or_complains(sentence: str, asks: bool) -> None:
    assert is_inquiry(sentence) is asks


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("How can I find my wifi password?", "wifi-password.md"),
        ("I want to cancel.", "cancel-your-contract.md"),
        ("What are your opening hours?", "opening-hours.md"),
        ("Are you open on Sunday?", "opening-hours.md"),
        ("How much is the premium plan?", "upgrade-your-plan.md"),
        ("Can I get a faster plan?", "upgrade-your-plan.md"),
        ("There is a charge on my bill that I don't know.", "billing-dispute.md"),
        ("I want my money back.", "refund-policy.md"),
        ("Can I change the delivery address?", "change-of-address.md"),
        ("How much is express delivery?", "delivery-times.md"),
        ("My parcel is late.", "delivery-times.md"),
        ("The router keeps dropping the connection.", "reset-your-router.md"),
        ("Do I get a credit for the outage?", "outage-credit.md"),
    ],
)
def test_the_article_that_answers_is_found(question: str, source: str) -> None:
    found = answer(question)
    assert found is not None
    assert found[0] == source


@pytest.mark.parametrize(
    "question",
    [
        "Can I speak to your manager?", "What is your name again?", "How is the weather there today?",
        "Can you repeat that?", "What was the number again?", "Can you spell that for me?", "Can you hear me?",
        "How long will you be?", "What time is it over there?", "Why does it take so long?",
        "Would you hold on a second, there is somebody at the door?", "Should I read you the number now?",
        "What kind of offer?", "Do you offer insurance?", "I have a problem with my car.", "Can you book me a flight?",
        "Do you have it in blue?", "I need to find my glasses, one second.", "Can you send me that email again?",
    ],
)  # fmt: skip
def test_silence_when_nothing_fits(question: str) -> None:
    assert answer(question) is None


def test_an_empty_knowledge_base_finds_nothing() -> None:
    inquiry = find_inquiry("How do I reset my router?")
    assert inquiry is not None
    assert Bm25Index(()).find(inquiry) == ()


def test_the_sentence_that_fits_is_quoted() -> None:
    text = "First this. Then hold the button. Wait for green. Done."
    assert best_sentences(text, dict.fromkeys(terms("hold button"), 1.0)) == "Then hold the button. Wait for green."
