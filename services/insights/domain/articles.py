"""Knowledge-base articles in Markdown, cut into the passages that are searched and quoted.

An article may open with front matter between `---` lines (`title: ...`, `url: ...`); else its first `#` heading is
the title and it has no link. Each `##` section with text is a passage. Text before the first section says what the
article is for: it is searched with every passage, and quoted only where there is no section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_MARKUP = re.compile(r"[*_`]{1,3}|!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A section of an article. `source` is the file's name; `text` is plain; `lead` opens the article."""

    source: str
    title: str
    section: str
    text: str
    url: str = ""
    lead: str = ""


def read_article(source: str, markdown: str) -> tuple[Passage, ...]:
    """The passages of an article; none for a file without text."""
    front: dict[str, str] = {}
    if matter := _FRONT_MATTER.match(markdown):
        front = dict(_entries(matter.group(1)))
        markdown = markdown[matter.end() :]
    title = front.get("title", "")
    sections: list[tuple[str, list[str]]] = [("", [])]
    for line in markdown.splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            sections[-1][1].append(line.strip())
        elif heading.group(1) == "#":
            title = title or heading.group(2)
        else:
            sections.append((_plain(heading.group(2)), []))
    title = title or source.rpartition(".")[0] or source
    plain = [(section, _plain(" ".join(line for line in lines if line))) for section, lines in sections]
    lead = plain[0][1]
    found = [(section, text) for section, text in plain[1:] if text] or ([("", lead)] if lead else [])
    return tuple(
        Passage(
            source=source, title=title, section=section, text=text, url=front.get("url", ""),
            lead=lead if section else "",
        )
        for section, text in found
    )  # fmt: skip


def _entries(block: str) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in block.splitlines())
    return [(name.strip(), value.strip().strip("\"'")) for name, colon, value in pairs if colon]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _MARKUP.sub(lambda m: m.group(1) or "", text)).strip()
