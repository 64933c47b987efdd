"""Makes `generated.json` and `held_out.json`: utterance sequences with labelled personal data, and look-alikes.

    python tests/data/redaction/make_sequences.py          # writes both files anew; the same bytes each time

Each sequence puts a made-up number into a sentence, renders it in one of the shapes that speech recognition gives
numbers, and splits it over utterances. Sentences are dealt in turn: every fourth is used in the held-out file alone.
Nobody's data: cards carry valid check digits under made-up account digits, phone numbers are 555-01xx or Ofcom's
drama numbers, e-mails end in common domains under made-up names.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SEED = 20_260_301
UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
NAMES = ["laura", "grace", "daniel", "robert", "susan", "peter", "maria", "kevin", "nadia", "oscar", "helen", "victor"]
SURNAMES = ["bennett", "miller", "carter", "novak", "park", "gonzalez", "okafor", "larsen", "weber", "hughes"]
PROVIDERS = ["gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "example.org", "icloud.com", "bluewater.net"]
BETWEEN = ["uh", "and then", "okay", "um", "yeah", "and"]


class Frame(NamedTuple):
    """A sentence around `{}`; ``asked`` is what the other side said before."""

    text: str
    asked: str = ""


CARD = [
    Frame("my card number is {} and the name is Miller"),
    Frame("Sure, it's {}.", "Can I have the card number please?"),
    Frame("yes the card is {} thank you"),
    Frame("The number on the card is {}, did you get it?"),
    Frame("I want to pay with my visa {} please"),
    Frame("okay {} that's the whole thing"),
    Frame("Let me read it to you. {}. Do you need anything else?", "Please read me the number of your card."),
    Frame("it is a Mastercard, number {}"),
    Frame("charge it to {} this time"),
    Frame("the credit card number, {}, belongs to my wife"),
    Frame("{}", "What's the sixteen digit card number?"),
    Frame("and the debit card number is {} right"),
]
SSN = [
    Frame("my social security number is {}"),
    Frame("{}.", "What is your social security number?"),
    Frame("my social is {} if you need it"),
    Frame("SSN {} and my name is Carter"),
    Frame("Yes, that's {}, thank you.", "Could you confirm your social for me?"),
    Frame("the social security number on the file is {}, correct?"),
    Frame("Okay my social, it's {}."),
    Frame("her social security number should be {} I believe"),
]
TAX = [
    Frame("our EIN is {} for the invoice"),
    Frame("{}", "What's your tax ID?"),
    Frame("The tax number is {}."),
    Frame("the employer identification number, that is {}, thanks"),
]
BANK = [
    Frame("my bank account number is {} okay"),
    Frame("the checking account number is {}."),
    Frame("{}.", "And what is the bank account number?"),
    Frame("I bank with them, the account number is {} for the refund"),
    Frame("please take it from my savings account {} as always"),
    Frame("Sure. {}. Thanks.", "What is your checking account number?"),
]
ROUTING = [
    Frame("the routing number is {} I think"),
    Frame("{}", "Can you read me the routing number on the check?"),
    Frame("Routing {} and that is a checking account"),
    Frame("the bank's routing number, here it is, {}."),
]
IBAN = [
    Frame("the IBAN is {} thanks"),
    Frame("my account in Europe is {}."),
    Frame("{}", "What's the IBAN?"),
    Frame("send it to IBAN {} please"),
]
PHONE = [
    Frame("my phone number is {} thanks"),
    Frame("you can call me at {} after five"),
    Frame("{}.", "What's the best number to reach you?"),
    Frame("my cell is {}."),
    Frame("It's {}, and ask for Helen.", "Can I have a call back number?"),
    Frame("my mobile number, {}, is always on"),
    Frame("reach me on {} or at the office"),
    Frame("the contact number should be {} now"),
]
EMAIL = [
    Frame("my email is {} thanks"),
    Frame("my email address is {}."),
    Frame("{}", "What is your email address?"),
    Frame("send it to my email {} please"),
    Frame("You can email me at {}, okay?"),
    Frame("Yeah it's {}.", "And what email should I use?"),
    Frame("The address for the receipt is {}.", "Which email do you want the receipt sent to?"),
    Frame("the e-mail on my account should be {} now"),
]
DOB = [
    Frame("my date of birth is {} thanks"),
    Frame("{}.", "What's your date of birth?"),
    Frame("I was born on {} in Ohio"),
    Frame("Date of birth, {}."),
    Frame("It's {}.", "And your birthday please?"),
    Frame("born {} if that helps"),
    Frame("the birth date on file should be {}, right?"),
    Frame("her DOB is {} and she is my wife"),
]
DECOYS: list[tuple[str, Callable[[random.Random], str]]] = [
    ("my order number is {} and it is late", lambda r: shape(r, digits(r, r.choice([5, 6, 8, 10])), [4])),
    ("The tracking number is {}.", lambda r: shape(r, digits(r, 12), [4])),
    ("it costs {} a month", lambda r: f"{r.randint(12, 99)} dollars"),
    ("the invoice from {} was {} dollars", lambda r: f"{r.choice(MONTHS)} {r.randint(1, 28)} {r.randint(2018, 2026)}"),
    ("the appointment is on {} in the morning", lambda r: f"{r.choice(MONTHS)} {r.randint(1, 28)}th"),
    ("the zip code is {} thank you", lambda r: shape(r, digits(r, 5), [5])),
    ("my account number is {} with you", lambda r: shape(r, digits(r, 6), [3])),
    ("please transfer me to extension {} again", lambda r: shape(r, digits(r, 4), [4])),
    ("I have been waiting for {} minutes and {} seconds", lambda r: str(r.randint(5, 59))),
    ("The serial number is {}, it's on the back.", lambda r: shape(r, digits(r, 9), [3])),
    ("we moved here in {} and stayed for {} years", lambda r: str(r.randint(1990, 2024))),
    ("your confirmation number is {} for the visit", lambda r: shape(r, digits(r, 8), [2, 4])),
    ("The reference number is {}.", lambda r: shape(r, digits(r, 9), [3])),
    ("I live at {} Maple Street, apartment {}", lambda r: str(r.randint(2, 1999))),
    ("my case number is {} from last week", lambda r: shape(r, digits(r, 10), [5])),
    ("call {} toll free", lambda r: f"1 {r.choice(['800', '888', '877'])} 555 01{r.randint(10, 99)}"),
    ("we are open from {} to {} every day", lambda r: str(r.randint(6, 11))),
    ("the model number is {} I believe", lambda r: f"{r.choice('BCKX')}{r.randint(100, 999)}"),
    ("read it on our website, {} dot com", lambda r: r.choice(["harborinternet", "bluewater", "northshop"])),
    ("it is {} percent of {} thousand", lambda r: str(r.randint(2, 90))),
]


def digits(rng: random.Random, count: int, first: str = "123456789") -> str:
    """Random digits."""
    return rng.choice(first) + "".join(rng.choice("0123456789") for _ in range(count - 1))


def check_digit(body: str) -> str:
    """The digit that makes the number pass Luhn's test."""
    total = 0
    for place, char in enumerate(reversed(body)):
        value = int(char) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def grouped(number: str, sizes: list[int]) -> list[str]:
    """The number in groups, the last size repeated."""
    out, at, turn = [], 0, 0
    while at < len(number):
        size = sizes[min(turn, len(sizes) - 1)]
        out.append(number[at : at + size])
        at, turn = at + size, turn + 1
    return out


def spoken(rng: random.Random, group: str, style: str) -> str:
    """One group in words: digit by digit, with "double", or in pairs."""
    if style == "pairs" and len(group) % 2 == 0 and all(group[i] != "0" for i in range(0, len(group), 2)):
        return " ".join(pair(group[i : i + 2]) for i in range(0, len(group), 2))
    zero = rng.choice(["zero", "oh"])
    names = [zero if d == "0" else UNITS[int(d)] for d in group]
    if style == "double":
        out, i = [], 0
        while i < len(group):
            twice = i + 1 < len(group) and group[i] == group[i + 1]
            out.append(f"double {names[i]}" if twice else names[i])
            i += 2 if twice else 1
        return " ".join(out)
    return " ".join(names)


def pair(two: str) -> str:
    """Two digits, the first not zero, as one number word."""
    tens, unit = int(two[0]), int(two[1])
    if tens == 1:
        return TEENS[unit]
    return TENS[tens - 2] + (" " + UNITS[unit] if unit else "")


def shape(rng: random.Random, number: str, sizes: list[int], *, between: bool = True) -> str:
    """A number as speech recognition may write it."""
    groups = grouped(number, sizes)
    style = rng.choice(["written", "dashes", "plain", "spread", "digits", "double", "pairs", "mixed"])
    if style == "plain":
        return "".join(groups)
    if style == "dashes":
        return "-".join(groups)
    out = []
    for index, group in enumerate(groups):
        how = rng.choice(["written", "spread", "digits"]) if style == "mixed" else style
        text = group if how == "written" else " ".join(group) if how == "spread" else spoken(rng, group, how)
        comma = "," if index + 1 < len(groups) and rng.random() < 0.4 else ""
        out.append(text + comma)
        if between and index + 1 < len(groups) and rng.random() < 0.12:
            out.append(rng.choice(BETWEEN))
    return " ".join(out)


def card(rng: random.Random) -> str:
    """A payment card; now and then with a digit lost or doubled, as it is heard at times."""
    amex = rng.random() < 0.15
    body = rng.choice(["34", "37"]) + digits(rng, 12) if amex else rng.choice("45") + digits(rng, 14)
    number = body + check_digit(body)
    slip = rng.random()
    if slip < 0.08:
        cut = rng.randrange(2, len(number))
        number = number[:cut] + number[cut + 1 :]
    elif slip < 0.16:
        cut = rng.randrange(2, len(number))
        number = number[:cut] + number[cut - 1] + number[cut:]
    return shape(rng, number, [4, 6, 5] if amex else [4])


def ssn(rng: random.Random) -> str:
    """A social security number of a valid form."""
    area = rng.choice([n for n in range(1, 772) if n != 666])
    return shape(rng, f"{area:03d}{rng.randint(1, 99):02d}{rng.randint(1, 9999):04d}", [3, 2, 4])


def tax(rng: random.Random) -> str:
    """An employer identification number."""
    return shape(rng, f"{rng.choice(['12', '20', '45', '84'])}{digits(rng, 7)}", [2, 7])


def routing(rng: random.Random) -> str:
    """Nine digits with the check that American banks' numbers carry."""
    body = f"{rng.randint(1, 12):02d}{digits(rng, 6)}"
    total = sum(int(d) * w for d, w in zip(body, (3, 7, 1) * 3, strict=False))
    return shape(rng, body + str(-total % 10), [3])


def iban(rng: random.Random) -> str:
    """A valid account number of Germany, France or the Netherlands."""
    country = rng.choice(["DE", "FR", "NL"])
    bank = {"DE": digits(rng, 18), "FR": digits(rng, 23), "NL": "INGB" + digits(rng, 10)}[country]
    moved = "".join(str(int(c, 36)) for c in bank + country + "00")
    number = f"{country}{98 - int(moved) % 97:02d}{bank}"
    match rng.choice(["plain", "groups", "letters"]):
        case "plain":
            return number
        case "groups":
            return " ".join(grouped(number, [4]))
        case _:
            return " ".join(c if c.isalpha() else rng.choice([c, UNITS[int(c)]]) for c in number)


def phone(rng: random.Random) -> str:
    """A number of the kinds reserved for fiction."""
    if rng.random() < 0.15:
        return shape(rng, f"07700900{rng.randint(100, 999)}", [5, 3])
    area = rng.choice(["202", "312", "415", "617", "718", "773"])
    text = shape(rng, f"{area}55501{rng.randint(10, 99)}", [3, 3, 4], between=False)
    return f"{rng.choice(['+1', 'area code', '1'])} {text}" if rng.random() < 0.2 else text


def email(rng: random.Random) -> str:
    """An address, written or spoken."""
    name, surname, provider = rng.choice(NAMES), rng.choice(SURNAMES), rng.choice(PROVIDERS)
    number = str(rng.randint(2, 99)) if rng.random() < 0.4 else ""
    mark, said = rng.choice([(".", "dot"), ("_", "underscore"), ("-", "dash"), ("", "")])
    match rng.choice(["written", "spoken", "spoken", "spelled", "half"]):
        case "written":
            return f"{name}{mark}{surname}{number}@{provider}"
        case "half":
            return f"{name}{mark}{surname}{number} at {provider}"
        case "spelled":
            return " ".join([*name[:5], number, "at", provider.replace(".", " dot ")]).replace("  ", " ")
        case _:
            words = [name, said, surname, number, "at", provider.replace(".", " dot ")]
            return " ".join(word for word in words if word)


def birth(rng: random.Random) -> str:
    """A day, month and year."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1940, 2006)
    ending = "th" if 4 <= day <= 20 or day >= 24 else {1: "st", 2: "nd", 3: "rd"}[day % 10]
    name = MONTHS[month - 1]
    late = (
        f"{pair(str(year)[:2])} {pair(str(year)[2:])}" if year % 100 >= 10 else f"two thousand and {UNITS[year % 10]}"
    )
    if year == 2000:
        late = "two thousand"
    return rng.choice(
        [
            f"{name} {day}{ending}, {year}",
            f"{name} {day} {year}",
            f"the {day}{ending} of {name} {year}",
            f"{day} {name} {year}",
            f"{month:02d}/{day:02d}/{year}",
            f"{month}-{day}-{year}",
            f"{month} {day} {year}",
            f"{name} {day}{ending} {late}",
        ]
    )


def split(rng: random.Random, text: str, kind: str) -> list[str]:
    """Utterances: the text cut at word borders inside braces too, so that pieces stay labelled."""
    cuts = rng.choice([0, 0, 0, 1, 1, 2, 3])
    head, _, rest = text.partition("{")
    body, _, tail = rest.partition("}")
    words = body.split("|", 1)[1].split()
    places = sorted(rng.sample(range(1, len(words)), min(cuts, len(words) - 1))) if len(words) > 1 else []
    pieces, at = [], 0
    for place in [*places, len(words)]:
        pieces.append(f"{{{kind}|{' '.join(words[at:place])}}}")
        at = place
    pieces[0] = head + pieces[0]
    pieces[-1] += tail
    return pieces


KINDS: list[tuple[str, list[Frame], Callable[[random.Random], str], int]] = [
    ("card", CARD, card, 6),
    ("ssn", SSN, ssn, 6),
    ("tax", TAX, tax, 3),
    ("bank", BANK, lambda r: shape(r, digits(r, r.choice([8, 9, 10, 12])), [4]), 3),
    ("bank", ROUTING, routing, 3),
    ("iban", IBAN, iban, 4),
    ("phone", PHONE, phone, 4),
    ("email", EMAIL, email, 5),
    ("dob", DOB, birth, 5),
]


def sequences(*, held_out: bool) -> list[dict[str, object]]:
    """All sequences of one file."""
    rng = random.Random(SEED + held_out)
    out: list[dict[str, object]] = []

    def mine(index: int) -> bool:
        return (index % 4 == 3) is held_out

    for kind, frames, make, rounds in KINDS:
        for frame in (frame for index, frame in enumerate(frames) if mine(index)):
            for _ in range(rounds):
                text = frame.text.replace("{}", f"{{{kind}|{make(rng)}}}")
                say = [f"> {frame.asked}"] if frame.asked else []
                say += split(rng, text, kind)
                if rng.random() < 0.5:
                    say.append(rng.choice(["is there anything else", "thank you so much", "did you get that"]))
                out.append({"id": f"{'x' if held_out else 'g'}{len(out):03d}", "say": say})
    for index, (text, make) in enumerate(DECOYS):
        for _ in range(4 if mine(index) else 0):
            say = text
            while "{}" in say:
                say = say.replace("{}", make(rng), 1)
            out.append({"id": f"{'x' if held_out else 'g'}{len(out):03d}", "say": [say]})
    return out


def main() -> None:
    """Write both files."""
    for name, held_out in (("generated", False), ("held_out", True)):
        rows = sequences(held_out=held_out)
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(rows)} sequences")


if __name__ == "__main__":
    main()
