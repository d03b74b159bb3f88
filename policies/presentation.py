"""Versions of the policies as a page tells them: what they change, and what this person may do with one."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from accounts.models import Role, User
from core.errors import Invalid, NarrowgateError
from policies import difference, sealing
from policies.check import Problem
from policies.models import PolicyVersion
from policies.parse import policies

Status = PolicyVersion.Status
WRITERS = (Role.ENGINEER, Role.ADMINISTRATOR)
APPROVERS = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
MOST_LINES, MOST_DIFFERENCES = 1_000, 200
"""What a page shows of a text, and of what differs, unless more is asked for."""


@dataclass(frozen=True)
class Line:
    """One line of a comparison: `mark` is +, -, @ or a space."""

    mark: str
    text: str


@dataclass(frozen=True)
class Step:
    """The next thing to do with a version: `action` is empty where it is not for this person, and `says` why."""

    action: str
    label: str
    says: str


def changes(before: str, after: str) -> list[Line] | None:
    """What differs, with three lines around it; None where more lines do than anybody reads, which would take long to compare."""
    was, now = Counter(before.splitlines()), Counter(after.splitlines())
    if (was - now).total() + (now - was).total() > MOST_LINES:
        return None
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return [Line(line[:1] or " ", line[1:] if line[0] != "@" else line) for line in list(lines)[2:]]


def differing(before: str, after: str) -> dict[str, object]:
    """What differs in words, for a page; nothing where one of the texts cannot be read, which the page says elsewhere."""
    try:
        found = difference.differing(policies(before), policies(after))
    except Invalid:
        return {}
    told = [difference.told(one) for one in found[:MOST_DIFFERENCES]]
    return {"differences": told, "in_short": difference.in_short(found), "differ": len(found)}


def shown(text: str, *, whole: bool) -> dict[str, object]:
    """The lines of a text for a page: the first of them, unless the whole is asked for; and how many there are."""
    lines = text.splitlines()
    return {"lines": lines if whole else lines[:MOST_LINES], "of_lines": len(lines)}


def seal(version: PolicyVersion) -> dict[str, str]:
    """For a page: the key that signed the version, or why it is of no use."""
    try:
        return {"signed_by": str(sealing.signed_by(version))}
    except NarrowgateError as error:
        return {"unsealed": str(error)}


def next_step(version: PolicyVersion, user: User) -> Step | None:
    """What comes next for `version`, and whether `user` may do it. None once nothing does."""
    if version.status == Status.DRAFT:
        mine = version.author_id == user.id
        return Step("propose" if mine else "", "Propose it", "Its author proposes it." if not mine else "")
    if version.status == Status.PROPOSED:
        return _approval(version, user)
    if version.status == Status.APPROVED:
        may = user.has_role(*WRITERS)
        says = "It takes the place of the version in force, at every gate, within a second."
        return Step("activate" if may else "", "Put it in force", says if may else "A platform engineer activates it.")
    if version.status == Status.RETIRED and user.has_role(*WRITERS):
        return Step("rollback", "Put it back in force…", "It was in force before.")
    return None


def _approval(version: PolicyVersion, user: User) -> Step:
    if version.author.person == user.person:
        says = "Nobody approves policies they wrote: another engineer, the CISO or an administrator does."
        return Step("", "Approve it", says)
    if not user.has_role(*APPROVERS):
        return Step("", "Approve it", "An engineer, the CISO or an administrator approves it.")
    return Step(
        "approve", "Approve it", "You say that these rules may come into force. Activating is a step of its own."
    )


def placed(problems: Sequence[Problem], text: str) -> Iterator[tuple[Problem, str]]:
    """Each problem with the line of `text` it is about."""
    lines = text.splitlines()
    for problem in problems:
        yield problem, lines[problem.line - 1].strip() if 0 < problem.line <= len(lines) else ""


def undetermined(text: str, determined: Collection[str]) -> list[str]:
    """The policies of `text` that determined nothing of what `determined` names: no action would have met them."""
    return sorted(policies(text).keys() - set(determined))
