"""Sentences and index terms of English text.

A light suffix stemmer (in the spirit of Harman, "How effective is suffixing?", 1991) is enough to bring "cancel",
"cancelled" and "cancellation" together; it is applied alike to questions and articles.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SPELLINGS = ((re.compile(r"\bwi[- ]fi\b"), "wifi"), (re.compile(r"\be-mail"), "email"), (re.compile("’"), "'"))
_SUFFIXES = (("ing", "edly", "ed"), ("ation", "ment", "er", "ly"))
"""One of the first group, then one of the second."""

_STOP_WORDS = """
    a about above after again all also am an and another any anybody anyone anything are aren't as at be because
    been before being but by call called calling can can't cannot come could did didn't do does doesn't doing don't
    done else ever every everything for from get gets getting give given go goes going gone good got had has have
    haven't having he hello help her here hi him his how however i i'd i'll i'm i've if in into is isn't it it's its
    just kind know let like look looking made make many may maybe me mean might more most much must my name need needs
    never no nor not now of off oh ok okay on one once only or other our out over own please put question really right
    said same say see she should since so some somebody something sorry sort still such sure take takes tell than
    thank thanks that that's the their them then there these they thing things think this those though through thing
    to today too tried try two up us use used using very want wanted was wasn't way we we're well were what what's
    when where whether which while who why will with without won't would yes yet you you're your
    zero three four five six seven eight nine eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing of the subject."""


def sentences(text: str) -> tuple[str, ...]:
    """The sentences, with their end marks."""
    found = (match.group().strip() for match in _SENTENCE.finditer(text))
    return tuple(sentence for sentence in found if any(c.isalnum() for c in sentence))


def words(text: str) -> tuple[str, ...]:
    """Lower-case words without punctuation."""
    lowered = text.lower()
    for spelling, instead in _SPELLINGS:
        lowered = spelling.sub(instead, lowered)
    return tuple(_WORD.findall(lowered))


def terms(text: str) -> tuple[str, ...]:
    """Stems of the words that carry the subject, in order, repeated as they are."""
    return tuple(stem(word) for word in words(text) if word not in STOP_WORDS)


def stem(word: str) -> str:
    """The word without its inflection; not a word of the language."""
    word = word.partition("'")[0]
    if len(word) <= 3:
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ery"):
        word = word[:-1]
    for suffixes in _SUFFIXES:
        bases = (word.removesuffix(suffix) for suffix in suffixes if word.endswith(suffix))
        word = next((base for base in bases if len(base) >= 3 and re.search("[aeiouy]", base)), word)
    if word.endswith(("tion", "sion")) and len(word) > 5:
        word = word[:-3]
    if len(word) > 4:
        word = re.sub("[ey]$", "", word)
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
