"""Pure. A detector of the customer's own: a pattern that is checked when it is written, and tried on a sample, so that no traffic meets it first."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

import hyperscan

from agents.detectors.known import KNOWN, Strategy
from agents.detectors.scanner import Own, Scanner
from core.errors import Invalid

_parser: Any = import_module("re._parser")  # the one place that tells how much a pattern can match
LONGEST_PATTERN: Final = 300
LONGEST_SAMPLE: Final = 1_000
SHORTEST, WIDEST = 4, 200
"""Bytes that a pattern may match: fewer would be found everywhere, more could not be seen as a whole."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{2,39}\Z")
_READS: Final = "It is read as hyperscan reads patterns: classes, groups, alternatives and repeats like {3,20}; nothing that looks around or back."


def check(name: str, pattern: str, sample: str) -> Own:
    """The detector, which finds something in `sample`. Raises Invalid, naming the field."""
    if not _NAME.match(name) or name in KNOWN:
        raise Invalid(
            "name", "A detector is named by 3 to 40 small letters, digits and _, as no other.", "As in customer_number."
        )
    _require_bounded(pattern)
    own = Own(name, pattern)
    try:
        scanner = Scanner({name: Strategy.REDACT}, [own])
    except hyperscan.error as error:
        raise Invalid("pattern", f"The pattern is not read: {_words(error)}.", _READS) from None
    if not sample.strip() or len(sample) > LONGEST_SAMPLE:
        raise Invalid(
            "sample",
            f"A sample is a text of at most {LONGEST_SAMPLE} characters.",
            "Paste one line that holds such a value.",
        )
    if not scanner.hits(sample.encode()):
        raise Invalid("sample", "The pattern finds nothing in the sample.", "Change either of them.")
    return own


def _require_bounded(pattern: str) -> None:
    """Whatever it matches has so many bytes that it can be looked at as a whole. Raises Invalid."""
    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise Invalid("pattern", f"A pattern has at most {LONGEST_PATTERN} characters.", "Write one.")
    if not pattern.isascii() or not pattern.isprintable():
        raise Invalid("pattern", "A pattern is written in ASCII.", r"Other bytes are written as \xc3\xa9.")
    try:
        least, most = _parser.parse(pattern.encode()).getwidth()
    except (re.error, RecursionError, OverflowError) as error:
        raise Invalid("pattern", f"The pattern is not read: {_words(error)}.", _READS) from None
    if least < SHORTEST:
        raise Invalid("pattern", f"It would match {least} bytes, which are found everywhere.", f"At least {SHORTEST}.")
    if most > WIDEST:
        raise Invalid(
            "pattern", f"It could match more than {WIDEST} bytes.", "Write how many at most: {1,40} in place of + or *."
        )


def _words(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:200]
