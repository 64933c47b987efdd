"""Readers of knowledge-base files: one a format, each from bytes to passages.

A reader raises `ArticleError` for a file that is not what its name says.
"""

from __future__ import annotations

from collections.abc import Callable

from services.insights.adapters.articles.errors import ArticleError
from services.insights.adapters.articles.hypertext import read_html
from services.insights.adapters.articles.markdown import read_markdown
from services.insights.adapters.articles.pdf import read_pdf
from services.insights.domain.articles import Passage

READERS: dict[str, Callable[[str, bytes, str], tuple[Passage, ...]]] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".pdf": read_pdf,
}
"""By the file's suffix: `(source, content, link)` to passages; the link holds where the file names none itself."""

__all__ = ["READERS", "ArticleError"]
