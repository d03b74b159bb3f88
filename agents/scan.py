"""Suggests what a column holds from its name and a sample of its values. Pure: no Django, no I/O.

A suggestion changes nothing: a person confirms each. Checksums decide where the kind of data has one: Luhn for card
numbers (ISO/IEC 7812-1), mod 97 for IBANs (ISO 13616).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

LEAST_SAMPLES: Final = 3
ENOUGH: Final = 0.8
"""The share of sampled values that must be of a kind."""

TAGS: Final[Mapping[str, str]] = {
    "email": "e-mail addresses",
    "card_number": "card numbers that pass the Luhn check",
    "ssn": "US social security numbers",
    "iban": "IBANs that pass their check digits",
    "phone": "telephone numbers",
    "name": "people’s names",
}
"""Every tag that a scan suggests, with what such values are called."""

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_CARD: Final = re.compile(r"[2-6][0-9]{12,18}")
_SSN: Final = re.compile(r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_PHONE: Final = re.compile(r"(?:\+|\(0?|0)[0-9][0-9 ()./-]{5,18}[0-9]")
_DATE: Final = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}")

_PERSONS: Final = re.compile(
    r"(?:customer|patient|person|people|user|employee|contact|member|client|staff|guest|student|applicant)s?\Z"
)
_BY_NAME: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("email", re.compile(r"\be ?mail\b|\bmail( address)?\Z")),
    ("card_number", re.compile(r"\b(credit |debit )?card (number|no|num|nr)\b|\bcc (number|no|num)\b|\bpan\Z")),
    ("ssn", re.compile(r"\bssn\b|\bsocial (security|insurance)\b")),
    ("iban", re.compile(r"\biban\b")),
    ("phone", re.compile(r"\b(tele)?phone\b|\bmobile( number)?\Z|\bcell( number)?\Z|\btel\b|\bfax\b")),
    ("name", re.compile(r"\b(full|first|last|middle|given|family|maiden|sur|fore|contact|holder) ?name\b|\bsurname\b")),
)


@dataclass(frozen=True)
class Column:
    """A column as the database describes it."""

    schema: str
    table: str
    name: str
    type: str = "text"


@dataclass(frozen=True)
class Suggestion:
    """What a column seems to hold, and the evidence in words. Never a value."""

    schema: str
    table: str
    column: str
    tag: str
    because: str


def suggest(column: Column, samples: Sequence[str | None]) -> Suggestion | None:
    """What `column` seems to hold, or None. Values count for more than the name."""
    values = [value.strip() for value in samples if value and value.strip()]
    found = _by_values(values) or _by_name(column)
    return Suggestion(column.schema, column.table, column.name, *found) if found else None


def _by_values(values: Sequence[str]) -> tuple[str, str] | None:
    if len(values) < LEAST_SAMPLES:
        return None
    for tag, fits in _DETECTORS.items():
        count = sum(map(fits, values))
        if count >= ENOUGH * len(values):
            return tag, f"{count} of {len(values)} sampled values are {TAGS[tag]}."
    return None


def _by_name(column: Column) -> tuple[str, str] | None:
    words = _words(column.name)
    for tag, pattern in _BY_NAME:
        if pattern.search(words):
            return tag, f"Its name says {TAGS[tag]}; no value was needed."
    if words == "name" and _PERSONS.search(_words(column.table)):
        return "name", f"A name in {column.table} is a person’s."
    return None


def _words(identifier: str) -> str:
    """`cardNumber`, `card_number` and `card-number` alike as "card number"."""
    return " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", identifier)).lower()


def is_email(value: str) -> bool:
    """Whether `value` has the form of an e-mail address."""
    return _EMAIL.fullmatch(value) is not None


def is_card_number(value: str) -> bool:
    """Whether `value` is 13 to 19 digits, spaces and hyphens aside, that pass the Luhn check."""
    digits = re.sub(r"[ -]", "", value)
    return _CARD.fullmatch(digits) is not None and len(set(digits)) > 1 and _luhn(digits)


def is_ssn(value: str) -> bool:
    """Whether `value` is a US social security number that could have been issued."""
    return _SSN.fullmatch(value) is not None


def is_iban(value: str) -> bool:
    """Whether `value` is an IBAN whose check digits are right."""
    text = value.replace(" ", "").upper()
    if not _IBAN.fullmatch(text):
        return False
    return int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 == 1


def is_phone(value: str) -> bool:
    """Whether `value` is written as telephone numbers are: 7 to 15 digits (ITU-T E.164), a prefix, no date."""
    digits = sum(letter.isdigit() for letter in value)
    return 7 <= digits <= 15 and _PHONE.fullmatch(value) is not None and _DATE.fullmatch(value) is None


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


_DETECTORS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": is_email,
    "iban": is_iban,
    "ssn": is_ssn,
    "card_number": is_card_number,
    "phone": is_phone,
}
