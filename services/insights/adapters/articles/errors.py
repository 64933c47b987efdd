"""The one error of the article readers."""

from __future__ import annotations


class ArticleError(ValueError):
    """The file cannot be read as what its name says; the text says why, without its content."""
