"""Articles are cut into passages, questions are told from the rest, and the right passage is found or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.errors import SettingError
from services.insights.adapters.articles.hypertext import read_html
from services.insights.adapters.articles.markdown import read_markdown
from services.insights.adapters.articles.pdf import read_pdf
from services.insights.adapters.knowledge_folder import fingerprint, read_folder
from services.insights.domain.articles import LONGEST_WORDS, Passage
from services.insights.domain.policy import Policy
from services.insights.domain.questions import find_inquiry, is_inquiry
from services.insights.domain.retrieval import HybridIndex, quoted
from services.insights.domain.text import sentences, stem, terms
from tests.support.insights_knowledge import encoder, sample_index
from tests.support.small_pdf import small_pdf


def answer(question: str) -> tuple[str, str] | None:
    inquiry = find_inquiry(question)
    hits = sample_index().find(inquiry) if inquiry else ()
    if not hits or hits[0].confidence < Policy().min_confidence:
        return None
    return hits[0].passage.source, hits[0].passage.section


def test_an_article_becomes_passages_with_title_link_lead_and_questions() -> None:
    text = (
        '---\ntitle: "Reset: how"\nurl: https://x.example/r\nquestions: [It hangs.]\n---\n# Other\nFor *slow* '
        "lines.\n\n"
        "## Do it\nHold it.\n\n- Wait\n- Look\n"
    )
    assert read_markdown("a/reset.md", text.encode(), "") == (
        Passage(
            source="a/reset.md", title="Reset: how", section="Do it", text="Hold it. Wait. Look.",
            url="https://x.example/r", lead="For slow lines.", questions=("It hangs.",),
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
    found = read_markdown("plain.md", markdown.encode(), "")
    assert [(p.title, p.section, p.text) for p in found] == expected


def test_an_html_page_is_cut_at_its_headings_and_rid_of_what_is_no_article() -> None:
    page = """<html><head><title>Help - Store</title><link rel="canonical" href="https://x.example/h"></head><body>
      <nav><p>Home</p></nav><main><h1>Return <b>shoes</b></h1><p>For shoes only.</p>
      <h2>How</h2><div>Put them <i>in the box</i></div><ul><li>Tape it</li></ul><script>var x = 1</script>
      <h2>When</h2><p>Within thirty days.</p></main><footer><p>Imprint</p></footer></body></html>"""
    found = read_html("shoes.html", page.encode(), "https://other.example")
    assert [(p.title, p.section, p.text, p.url) for p in found] == [
        ("Return shoes", "How", "Put them in the box. Tape it.", "https://x.example/h"),
        ("Return shoes", "When", "Within thirty days.", "https://x.example/h"),
    ]
    assert found[0].lead == "For shoes only."


def test_a_pdf_is_cut_at_larger_type_and_links_to_its_pages() -> None:
    document = small_pdf(
        [
            [
                (20, "Warranty"),
                (11, "What we repair."),
                (15, "Period"),
                (11, "Two years from the day of"),
                (11, "delivery."),
            ],
            [(15, "What to send"), (11, "The receipt (a copy is enough).")],
        ]
    )
    found = read_pdf("warranty.pdf", document, "https://x.example/warranty.pdf")
    assert [(p.title, p.section, p.text, p.url) for p in found] == [
        ("Warranty", "Period", "Two years from the day of delivery.", "https://x.example/warranty.pdf#page=1"),
        ("Warranty", "What to send", "The receipt (a copy is enough).", "https://x.example/warranty.pdf#page=2"),
    ]
    plain = read_pdf("w.pdf", small_pdf([[(11, "One.")], [(11, "Two.")]], title="Told"), "")
    assert [(p.title, p.section, p.text) for p in plain] == [("Told", "Page 2", "Two.")]
    assert plain[0].lead == "One."


def test_a_folder_of_all_formats_is_searched_as_one(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("# Gift cards\n## Validity\nA gift card is valid for three years.")
    (tmp_path / "sub" / "b.html").write_text("<h1>Bicycles</h1><h2>Brakes</h2><p>Squeaking brakes need new pads.</p>")
    (tmp_path / "c.pdf").write_bytes(small_pdf([[(18, "Garden"), (14, "Hedges"), (11, "Cut the hedge in June.")]]))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "d.md").write_text("# Hidden\nNo.")
    passages = read_folder(tmp_path, "https://kb.example/")
    assert [(p.source, p.url) for p in passages] == [
        ("a.md", "https://kb.example/a.md"), ("c.pdf", "https://kb.example/c.pdf#page=1"),
        ("sub/b.html", "https://kb.example/sub/b.html"),
    ]  # fmt: skip
    index = HybridIndex(passages, encoder())
    for question, source in (
        ("how long can I use my gift card", "a.md"), ("my bike makes noise when I stop", "sub/b.html"),
        ("when should I trim the hedge", "c.pdf"),
    ):  # fmt: skip
        inquiry = find_inquiry(f"{question}?")
        assert inquiry is not None
        assert index.find(inquiry)[0].passage.source == source
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "a.md").write_text("# Gift cards\n## Validity\nA gift card is valid for four whole years.")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.md", b"\xff\xfe\x00", r"x\.md is not UTF-8"),
        ("x.md", b"---\nquestions: 7\n---\n# T\nText.", r"x\.md has front matter whose `questions`"),
        ("x.md", b"---\n[\n---\n# T\nText.", r"x\.md has front matter that is no YAML"),
        ("x.pdf", b"%PDF-1.4 nothing", r"x\.pdf is no readable PDF"),
        ("x.pdf", small_pdf([[]]), r"x\.pdf holds no text"),
        ("x.txt", b"text", r"holds no article \(\.htm"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingError, match=rf"INSIGHTS_KNOWLEDGE_DIR: .*{says}"):
        read_folder(tmp_path)


def test_a_long_section_is_cut_between_sentences(tmp_path: Path) -> None:
    sentence = "One two three four five six seven eight nine ten."
    found = read_markdown("long.md", f"# T\n## S\n{' '.join([sentence] * 40)}".encode(), "")
    assert len(found) == 3
    assert all(len(p.text.split()) <= LONGEST_WORDS and p.text.endswith("ten.") for p in found)


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
    assert HybridIndex((), encoder()).find(inquiry) == ()


def test_the_sentence_that_fits_is_quoted_with_the_next() -> None:
    found = ("First this.", "Then hold the button.", "Wait for green.", "Done.")
    assert quoted(found, [0.1, 0.8, 0.2, 0.1]) == "Then hold the button. Wait for green."
    assert quoted(found[:2], [0.1, 0.8]) == "First this. Then hold the button."


def test_embeddings_have_length_one_and_tell_near_from_far() -> None:
    vectors = encoder().embed(["How do I reset the router?", "Restart of the modem", "A recipe for apple pie"] * 20)
    assert abs((vectors**2).sum(axis=1) - 1).max() < 1e-5
    near, far = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    assert near > far + 0.2
    assert float(vectors[0] @ vectors[3]) > 0.999  # whatever else is in the batch
