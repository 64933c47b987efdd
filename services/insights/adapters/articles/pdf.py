"""PDF articles: text in clearly larger type is a heading; without one, each page is a passage. Links point to pages."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from services.insights.adapters.articles.errors import ArticleError
from services.insights.domain.articles import Passage, Section, cut

HEADING_SCALE = 1.15
HEADING_WORDS = 14


@dataclass(slots=True)
class _Line:
    page: int
    size: float
    text: str


def read_pdf(source: str, content: bytes, link: str) -> tuple[Passage, ...]:
    """Title: the document's own, else its largest heading. Raises ArticleError, also where there is only a picture."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ArticleError("is protected by a password")
        lines = [line for number, page in enumerate(reader.pages, 1) for line in _lines(number, page)]
        told = str(reader.metadata.title or "") if reader.metadata else ""
    except PyPdfError as error:
        raise ArticleError(f"is no readable PDF ({type(error).__name__})") from None
    if not lines:
        raise ArticleError("holds no text (a scan?)")
    sizes = Counter[float]()
    for line in lines:
        sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0]
    headings = [line for line in lines if line.size >= body * HEADING_SCALE and len(line.text.split()) <= HEADING_WORDS]
    largest = max(headings, key=lambda line: line.size, default=None)
    return cut(source, told.strip() or (largest.text if largest else ""), link, _sections(lines, headings, largest))


def _sections(lines: list[_Line], headings: list[_Line], title: _Line | None) -> list[Section]:
    opened: list[tuple[str, int, list[str]]] = [("", 1, [])]
    by_page = len(headings) <= (title is not None)
    for line in lines:
        if line is title:
            continue
        if by_page and line.page != opened[-1][1]:
            opened.append((f"Page {line.page}", line.page, []))
        if any(line is heading for heading in headings):
            opened.append((line.text, line.page, []))
        else:
            opened[-1][2].append(line.text)
    return [Section(heading, _joined(parts), f"#page={page}") for heading, page, parts in opened]


def _joined(parts: list[str]) -> str:
    return re.sub(r"\s+", " ", re.sub(r"(\w)- (?=[a-z])", r"\1", " ".join(parts))).strip()


def _lines(number: int, page: Any) -> list[_Line]:
    """The page's text by the size of its type; pieces of one size and line are one."""
    lines: list[_Line] = []

    def visit(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        scale = abs(float(tm[3])) or 1.0
        height = round(float(size) * scale * (abs(float(cm[3])) or 1.0), 1)
        for at, part in enumerate(text.split("\n")):
            if at or not lines or lines[-1].size != height:
                lines.append(_Line(number, height, ""))
            lines[-1].text += part

    page.extract_text(visitor_text=visit)
    return [_Line(line.page, line.size, line.text.strip()) for line in lines if any(c.isalnum() for c in line.text)]
