"""Words that matter where numbers are read out: what may stand between their groups, what follows a quantity."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLERS = _words(
    """uh um er erm eh ah hmm mm mhm and then dash hyphen minus space dot point comma slash okay ok so yeah yes yep
    right to too for well sorry next it's its that's like no nope wait hold hang on i mean let me see again actually
    correction repeat got it gotcha you did get that are with there just a moment please the last first part group
    is was am listening continue go ahead keep going followed by plus alright all where
    euh ben puis et ensuite espace alors donc voilà oui d'accord"""
)
"""Between the groups of a number these are remarks; elsewhere they say nothing about what the number is."""

CONNECTORS = FILLERS | _words(
    """at of my your our his her their number numbers digits here comes should be would will starts begins in file
    sure address now new which as us under new also oh account card code this these belongs with under
    area information details one's they're we're what's
    est c'est le la les mon ma mes votre du de d numéro numéros voici au"""
)
"""Between a topic's name and its number these keep the two together."""

UNITS = _words(
    """dollar dollars buck bucks cent cents percent minute minutes min mins hour hours day days week weeks month months
    year years times time o'clock am pm a.m p.m people guests boxes pieces items parcels bottles euro euros pounds
    degrees gigabytes gigs gig megabytes megabits mb gb mbps inches inch feet foot miles kids children street avenue
    road drive lane boulevard digit digits stars of more million second seconds moment sec thing old customers"""
)
"""A number before one of these counts something."""

PAUSES = _words("second seconds sec moment minute")
MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ], 1,
    )
    for name in names.split()
}  # fmt: skip
WORDY_MONTHS = _words("may march mar sept")
"""Months that are words of their own: only with a day, a year or a capital letter beside them."""

_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"""
ORDINALS = {name: number for number, name in enumerate(_ORDINALS.split(), 1)} | {"thirtieth": 30}
WORDY_ORDINALS = _words("first second third")

PRONOUN_ONE = _words(
    "that this which no the another other each every any new old right wrong good bad same first last next only big"
)
"""Before "one" at the end of what is heard: no digit."""

TOP_LEVELS = _words("com net org edu gov co uk io de fr nl us ca info biz me eu au ch be tv app dev email es it")
MAIL_HOSTS = _words(
    "gmail yahoo hotmail outlook icloud aol protonmail proton gmx comcast verizon msn live web orange wanadoo"
)
NOT_LOCAL = _words(
    """me us it look looking looked available online order ordered buy bought shop shopping find found me here there
    website site store stay stayed be am is are was were work working works start starts open opens arrive him them you
    support visit stop look everything everyone all page pages"""
)
"""Before "at" these make a place of what follows, and no mailbox."""

NOT_NAMES = _words("good goodbye bye welcome monday tuesday wednesday thursday friday saturday sunday")
"""Greetings and days, which have a capital letter and are no name of a mailbox."""

MAILBOXES = _words("contact support help account receipt order mail email office")
"""Mailboxes of no person: words that may begin a name in spite of all after "the email is"."""

STOP_WORDS = (
    FILLERS
    | NOT_LOCAL
    | _words(
        """my your our his her their its of in from by about or but not never an be been have has had do does don't can
    can't could would will i'm you're we we're he she they this these those what which who when how why where because
    if as very really still already since yesterday today tomorrow email e-mail mail address number with the a to at
    under sure of course hello hi thanks thank send sent write reach contact use using used should be file account
    receipt anything something nothing else help understand great perfect
    problem yet again back always need needs want wants get gets please now
    est c'est adresse courriel mon ma votre merci à"""
    )
)
"""Words that no mailbox's name begins with."""
