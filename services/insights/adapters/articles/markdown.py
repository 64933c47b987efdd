"""Markdown articles. Front matter (YAML between `---` lines) may give `title`, `url` and `questions`.

`questions` is a list of how customers put it, in their words: they are searched with the article, never quoted.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from services.insights.adapters.articles.errors import ArticleError
from services.insights.adapters.articles.hypertext import read_sections
from services.insights.domain.articles import Passage, cut

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_RENDERER = MarkdownIt("commonmark").enable("table")


def read_markdown(source: str, content: bytes, link: str) -> tuple[Passage, ...]:
    """Title: the front matter's, else the first `#` heading. Raises ArticleError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ArticleError("is not UTF-8") from None
    front: dict[str, Any] = {"title": "", "url": "", "questions": ()}
    if matter := _FRONT_MATTER.match(text):
        front = _front(matter.group(1))
        text = text[matter.end() :]
    first, sections = read_sections(BeautifulSoup(_RENDERER.render(text), "html.parser"))
    return cut(source, front["title"] or first, front["url"] or link, sections, front["questions"])


def _front(block: str) -> dict[str, Any]:
    try:
        entries = yaml.safe_load(block) or {}
    except yaml.YAMLError:
        raise ArticleError("has front matter that is no YAML") from None
    if not isinstance(entries, dict):
        raise ArticleError("has front matter that is no list of `name: value`")
    questions = entries.get("questions") or []
    if not isinstance(questions, list) or not all(isinstance(question, str) for question in questions):
        raise ArticleError("has front matter whose `questions` is no list of texts")
    return {
        "title": str(entries.get("title") or ""), "url": str(entries.get("url") or ""), "questions": tuple(questions)
    }  # fmt: skip
