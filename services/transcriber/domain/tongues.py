"""Number talk of other languages in the terms that the detectors know: French digits, months and joints.

Cues and fillers of all languages stand in one table each, for they do not collide; number words do ("six", "cent"),
so they are taken for another language's only where the leg speaks it.
"""

from __future__ import annotations

from services.transcriber.domain.formatting.french import CARDINALS

_FRENCH = {
    "zéro": "zero", "un": "one", "deux": "two", "trois": "three", "quatre": "four", "cinq": "five",
    "sept": "seven", "huit": "eight", "neuf": "nine", "dix": "ten", "onze": "eleven", "douze": "twelve",
    "treize": "thirteen", "quatorze": "fourteen", "quinze": "fifteen", "seize": "sixteen", "vingt": "twenty",
    "vingts": "twenty", "trente": "thirty", "quarante": "forty", "cinquante": "fifty", "soixante": "sixty",
    "cent": "hundred", "cents": "hundred", "mille": "thousand", "janvier": "january", "février": "february",
    "mars": "march", "avril": "april", "mai": "may", "juin": "june", "juillet": "july", "août": "august",
    "aout": "august", "septembre": "september", "octobre": "october", "novembre": "november",
    "décembre": "december", "premier": "first", "arobase": "at", "tiret": "dash", "souligné": "underscore",
    "euros": "dollars", "euro": "dollar", "heures": "hours", "heure": "hour", "virgule": "comma", "triple": "triple",
    "minutes": "minutes", "ans": "years", "jours": "days", "mois": "months", "places": "people",
    "personnes": "people", "enfants": "kids", "plus": "plus",
    "instant": "moment", "seconde": "second",
}  # fmt: skip


def in_detectors_terms(word: str, language: str) -> str:
    """A plain word of a leg's language, as the detectors would have it in English."""
    if language != "fr":
        return word
    known = _FRENCH.get(word)
    if known is not None:
        return known
    if "-" in word:
        value = CARDINALS.value(word)
        return word if value is None else str(value)
    return word
