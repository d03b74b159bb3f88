"""Test cases against today's registry, for whoever asks: a page, the API, or whoever proposes a version."""

from __future__ import annotations

from core.errors import Invalid
from policies import cases, snapshot


def run(text: str, tests: str) -> cases.Tested:
    """What `tests` say of `text`. Raises Invalid where one of the two cannot be read."""
    documents = cases.parse(tests)
    return cases.run(text, documents, snapshot.registered(*cases.named(documents)))


def tested(text: str, tests: str) -> cases.Tested | None:
    """The same for a page, which says elsewhere what cannot be read; None without test cases."""
    if not tests.strip():
        return None
    try:
        return run(text, tests)
    except Invalid:
        return None
