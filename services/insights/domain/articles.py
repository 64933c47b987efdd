"""Articles of the knowledge base, cut into the passages that are searched and quoted.

Whatever its format, an article comes here as a title, a link and sections in their order. Each section with text is
a passage; a long one is cut between sentences. Text before the first heading says what the article is for: it is
searched with every passage, and quoted only where there is no section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.insights.domain.text import sentences

LONGEST_WORDS = 150
"""A passage longer than that is cut: beyond about 200 words the encoder would not see its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A section of an article. `source` is the file's name; `text` is plain; `lead` opens the article."""

    source: str
    title: str
    section: str
    text: str
    url: str = ""
    lead: str = ""
    questions: tuple[str, ...] = ()
    """How customers put it: searched, never quoted; those of the article stand with each of its passages."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (empty before the first) and the plain text below it. `anchor` goes to the end of the link."""

    heading: str
    text: str
    anchor: str = ""


def cut(
    source: str, title: str, url: str, sections: Sequence[Section], questions: tuple[str, ...] = ()
) -> tuple[Passage, ...]:
    """The passages of an article; none where there is no text."""
    title = title or source.rpartition("/")[2].rpartition(".")[0] or source
    lead = sections[0].text if sections and not sections[0].heading else ""
    found = [section for section in sections if section.heading and section.text]
    if not found:
        found, lead = [section for section in sections if section.text], ""
    return tuple(
        Passage(
            source=source, title=title, section=section.heading, text=text,
            url=url + section.anchor if url else "", lead=lead,
            questions=questions,
        )
        for section in found
        for text in _pieces(section.text)
    )  # fmt: skip


def _pieces(text: str) -> list[str]:
    if len(text.split()) <= LONGEST_WORDS:
        return [text]
    pieces: list[list[str]] = [[]]
    words = 0
    for sentence in sentences(text):
        words += len(sentence.split())
        if words > LONGEST_WORDS and pieces[-1]:
            pieces.append([])
            words = len(sentence.split())
        pieces[-1].append(sentence)
    return [" ".join(piece) for piece in pieces]
