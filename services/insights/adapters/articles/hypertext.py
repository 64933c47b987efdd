"""HTML articles: headings open sections, what is no part of the article (navigation, scripts, forms) is left out."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Comment, Tag
from bs4.element import PreformattedString

from services.insights.adapters.articles.errors import ArticleError
from services.insights.domain.articles import Passage, Section, cut

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = (*_HEADINGS, "p", "li", "td", "th", "dt", "dd", "pre", "blockquote", "figcaption", "div", "section")
_NOT_ARTICLE = ("script", "style", "nav", "footer", "aside", "form", "noscript", "template", "iframe", "svg", "button")
_SENTENCE_END = re.compile(r"[.!?:;…]$")


def read_html(source: str, content: bytes, link: str) -> tuple[Passage, ...]:
    """Title: the first `h1`, else `<title>`. Link: `<link rel="canonical">`, else `link`. Raises ArticleError."""
    page = BeautifulSoup(_decoded(content), "html.parser")
    canonical = page.find("link", rel="canonical")
    url = str(canonical.get("href") or "") if isinstance(canonical, Tag) else ""
    title = page.title.get_text(" ", strip=True) if page.title else ""
    first, sections = read_sections(page)
    return cut(source, first or title, url or link, sections)


def read_sections(page: BeautifulSoup) -> tuple[str, list[Section]]:
    """The first `h1` (or nothing) and the sections that the other headings open."""
    for tag in page.find_all(_NOT_ARTICLE):
        tag.decompose()
    root = page.find("main") or page.find("article") or page.body or page
    title = ""
    sections: list[tuple[str, list[str]]] = [("", [])]
    for block, text in _blocks(root):
        if block == "h1" and not title:
            title = text
        elif block in _HEADINGS:
            sections.append((text, []))
        else:
            sections[-1][1].append(text if _SENTENCE_END.search(text) else f"{text}.")
    return title, [Section(heading, " ".join(parts)) for heading, parts in sections]


def _blocks(root: Tag) -> list[tuple[str, str]]:
    """The name and text of each block that has text of its own, in order."""
    found: list[tuple[Tag, list[str]]] = []
    for string in root.find_all(string=True):
        if isinstance(string, Comment | PreformattedString) or not string.strip():
            continue
        if string.find_parent(["title", "head"]) is not None:
            continue
        block = string.find_parent(_BLOCKS) or root
        if not found or found[-1][0] is not block:
            found.append((block, []))
        found[-1][1].append(str(string))
    plain = ((block.name, re.sub(r"\s+", " ", "".join(parts)).strip()) for block, parts in found)
    return [(name, text) for name, text in plain if any(c.isalnum() for c in text)]


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = BeautifulSoup(content, "html.parser").decode()
        if "\ufffd" in text:
            raise ArticleError("is neither UTF-8 nor in the encoding that it names") from None
        return text
