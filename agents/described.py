"""What is told of an agent beside its name, purpose and people: what it runs, what it may be given, what it is meant to touch. Pure.

It is what whoever enrols says; only a digest can be compared with anything, and nobody measures it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypedDict

from core.errors import Invalid

DIGEST: Final = re.compile(
    r"(?:[\w./:@-]{1,180}@)?(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|git:[0-9a-f]{40}|git:[0-9a-f]{64})\Z", re.ASCII
)
"""The SHA-2 of code or an image, with the image's name or without, or a commit."""
TAG: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z")
MOST_CLASSES: Final = 50


class Described(TypedDict, total=False):
    """The fields; texts are empty where nothing is told."""

    task_scope: str
    runtime: str
    model_vendor: str
    model_name: str
    model_version: str
    framework: str
    code_digest: str
    data_classes: list[str]
    review_by: date | None


FIELDS: Final = tuple(Described.__annotations__)


def described_in(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the fields that are in `given`."""
    return {name: given[name] for name in FIELDS if name in given}


def checked(given: Mapping[str, Any], today: date | None = None) -> dict[str, Any]:
    """The fields as they are kept: classes in order, each once. Raises Invalid."""
    kept = dict(given)
    if kept.get("code_digest") and not DIGEST.match(kept["code_digest"]):
        raise Invalid(
            "code_digest",
            "That is not a digest.",
            "Write sha256: and 64 digits, an image with @sha256:…, or git: and a commit.",
        )
    if "data_classes" in kept:
        kept["data_classes"] = _classes(kept["data_classes"])
    if kept.get("review_by") and kept["review_by"] < (today or datetime.now(UTC).date()):
        raise Invalid("review_by", "That day is past.", "Name a day by which somebody looks at it again.")
    return kept


def _classes(given: list[str]) -> list[str]:
    wrong = [one for one in given if not TAG.match(one) or len(one) > 40]
    if wrong:
        raise Invalid(
            "data_classes", f"“{wrong[0][:40]}” is not a tag.", "Small letters, digits, - and _, as columns are tagged."
        )
    if len(set(given)) > MOST_CLASSES:
        raise Invalid("data_classes", f"An agent has at most {MOST_CLASSES} data classes.", "Name those that matter.")
    return sorted(set(given))
