"""What is hidden, by kind: `payment_card=hide,phone=keep,social_security=last4`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.transcriber.domain.secret import Secret

SHOWN_AT_END = 4
LEAST_FOR_LAST4 = 8
MARKS = {
    Secret.PAYMENT_CARD: "payment card",
    Secret.BANK_ACCOUNT: "bank account",
    Secret.IBAN: "bank account",
    Secret.SOCIAL_SECURITY: "social security number",
    Secret.TAX_NUMBER: "tax number",
    Secret.PHONE: "phone number",
    Secret.EMAIL: "email",
    Secret.DATE_OF_BIRTH: "date of birth",
    Secret.OTHER: "number",
}


class Treatment(StrEnum):
    """What becomes of a kind: hidden, left as said, or hidden but for the last four digits."""

    HIDE = "hide"
    KEEP = "keep"
    LAST4 = "last4"


@dataclass(frozen=True, slots=True)
class Policy:
    """Kinds that are not named are hidden."""

    treatments: Mapping[Secret, Treatment] = field(default_factory=dict)

    def hides(self, secret: Secret) -> bool:
        """Whether a mark takes its place."""
        return self.treatments.get(secret, Treatment.HIDE) is not Treatment.KEEP

    def mark(self, secret: Secret, digits: str) -> str:
        """What stands in the text instead."""
        named = MARKS[secret]
        treatment = self.treatments.get(secret, Treatment.HIDE)
        if treatment is Treatment.LAST4 and digits.isalnum() and len(digits) >= LEAST_FOR_LAST4:
            return f"[{named} ending {digits[-SHOWN_AT_END:]}]"
        return f"[{named}]"


def read_policy(text: str) -> Policy:
    """A policy from its setting. Raises ValueError, naming what is wrong with it."""
    treatments: dict[Secret, Treatment] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, _, treatment = (word.strip() for word in part.partition("="))
        if kind not in {secret.value for secret in Secret}:
            raise ValueError(f"{kind!r} is none of {', '.join(Secret)}")
        if treatment not in {way.value for way in Treatment}:
            raise ValueError(f"{kind}={treatment}: must be one of {', '.join(Treatment)}")
        treatments[Secret(kind)] = Treatment(treatment)
    return Policy(treatments)
