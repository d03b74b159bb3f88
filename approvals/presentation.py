"""What a hold says to a reader, in sentences. Pure of requests; takes models and values, returns words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from activity.models import Action
from approvals import commands
from approvals.models import Absence, Hold
from approvals.seating import Chair
from core import words

_DOES = {
    "delete": "Deletes",
    "update": "Changes",
    "insert": "Adds",
    "merge": "Merges into",
    "truncate": "Empties",
    "select": "Reads",
    "lock": "Locks",
    "copy_in": "Loads",
}
_SETTLED = {
    Hold.Status.APPROVED: ("allow", "circle-check"),
    Hold.Status.RELEASED: ("allow", "circle-check"),
    Hold.Status.DENIED: ("deny", "circle-x"),
    Hold.Status.EXPIRED: ("unknown", "clock-x"),
    Hold.Status.LAPSED: ("unknown", "hourglass-empty"),
    Hold.Status.WITHDRAWN: ("unknown", "arrow-back-up"),
}
_GRAVER = {"low": 0.5, "medium": 1, "high": 2, "critical": 4}
"""How many times sooner a hold comes, by its severity; 1 where none is said."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Touch:
    """How much it would touch: the claim, how it is known, and whether it was counted."""

    says: str
    how: str
    exact: bool


_GOES_TO: Mapping[str, str] = {
    "mcp": "the tool server",
    **dict.fromkeys(("mcp:sample", "mcp:elicit", "mcp:roots"), "the agent"),
}
"""Where what is no statement goes, by verb or its kind; to an API else."""


def short_verb(verb: str) -> str:
    """The verb as people know it: "sql:copy_in" is COPY IN, anything but SQL is what policies call it."""
    return verb.removeprefix("sql:").replace("_", " ").upper() if verb.startswith("sql:") else verb


def touch(hold: Hold) -> Touch:
    """Counted and estimated are never the same sentence."""
    if not hold.enforced:
        return Touch(
            "The agent carries it out by itself.", "The gate does not see it happen, and cannot count it.", exact=False
        )
    if hold.verb.startswith(commands.PREFIX):
        return Touch(
            commands.says(hold.verb, hold.estimate, hold.resource.name),
            "Read from what it asks for; nothing was run to find out.",
            exact=False,
        )
    if not hold.verb.startswith("sql:"):
        where = _GOES_TO.get(hold.verb) or _GOES_TO.get(hold.verb.partition(":")[0], "the API")
        return Touch(
            f"Goes to {where} as it is shown, once.",
            "Nobody can count what it touches without sending it.",
            exact=False,
        )
    estimate: Mapping[str, Any] = hold.estimate or {}
    does = _DOES.get(hold.verb.removeprefix("sql:"), "Touches")
    if estimate.get("rows") is None:
        return Touch(f"{does} an unknown number of rows.", "It cannot be counted without running it.", exact=False)
    table = str(estimate.get("table") or "the table").rpartition(".")[2]
    rows = int(estimate["rows"])
    if not estimate.get("exact"):
        return Touch(
            f"{does} some rows in {table}.",
            f"The planner expects about {words.count(rows)}; nobody counted them.",
            exact=False,
        )
    of = f" of {words.count(int(estimate['of']))}" if estimate.get("of") is not None else ""
    took = f" in {words.span(float(estimate['ms']) / 1000)}" if estimate.get("ms") is not None else ""
    return Touch(
        f"{does} {words.count(rows)}{of} {'row' if rows == 1 and not of else 'rows'} in {table}.",
        f"Counted read-only{took}, exact.",
        exact=True,
    )


def locks(hold: Hold) -> str:
    """What it keeps others from while it waits."""
    if not hold.enforced:
        return "It would be told to wait, and is trusted to."
    if hold.verb.startswith(commands.PREFIX):
        return ""
    tables = [str(table).rpartition(".")[2] for table in hold.locks]
    if tables:
        return f"Its open transaction holds locks on {words.listing(tables)} while it waits."
    return (
        "It sits in an open transaction, which waits with it."
        if hold.in_transaction
        else "It holds no locks while it waits."
    )


def there(person: User, now: datetime) -> str:
    """A colleague's name, and that they are away and who stands in, if so; `absence` and its delegate must be there already."""
    absence: Absence | None = getattr(person, "absence", None)
    if absence is None or not absence.is_on(now):
        return str(person)
    return f"{person} (away until {words.moment(absence.ends, now)}, {absence.delegate} stands in)"


def approved(chairs: Sequence[Chair]) -> int:
    """How many people have approved."""
    return sum(chair.state == "on" for chair in chairs)


def consequence(chairs: Sequence[Chair]) -> str:
    """What the reader's approval will do, as "Yours is the second of 3. Then security decides"."""
    done = approved(chairs)
    left = [chair.who for chair in chairs if chair.state == "open"]
    if len(chairs) == 1:
        return "Yours alone releases it, once."
    place = _ORDINALS[done] if done < len(_ORDINALS) else f"{done + 1}th"
    if not left:
        return f"Yours is the last of {len(chairs)}, and releases it, once."
    return f"Yours is the {place} of {len(chairs)}. Then {words.listing(list(dict.fromkeys(left)))} {'decides' if len(left) == 1 else 'decide'}."


def row_note(hold: Hold, chairs: Sequence[Chair], because: str, mine: bool) -> str:
    """The last words of a row: who is missing, or why the reader cannot review."""
    missing = len(chairs) - approved(chairs)
    if hold.status != Hold.Status.WAITING:
        return settled_note(hold)
    if mine:
        return f"you approved, {missing} missing"
    if because:
        return because[0].lower() + because[1:].rstrip(".")
    return f"{missing} of {len(chairs)} missing" if approved(chairs) else "nobody has decided yet"


def settled_note(hold: Hold) -> str:
    """What became of a settled hold, in a row."""
    at = words.clock(hold.released_at or hold.settled_at or hold.deadline)
    return {
        Hold.Status.APPROVED: f"approved {at}, waits to be collected",
        Hold.Status.RELEASED: f"released {at}, ran once",
        Hold.Status.DENIED: f"denied {at}",
        Hold.Status.EXPIRED: f"nobody decided by {words.clock(hold.deadline)}, so denied",
        Hold.Status.LAPSED: f"approved, not collected by {at}",
        Hold.Status.WITHDRAWN: f"taken back {at}",
    }.get(Hold.Status(hold.status), "")


def refusal(action: Action) -> str:
    """Why an action was denied, shortly: the policy that forbade it, else the rule's name."""
    if action.code == "forbidden" and action.policies:
        return action.policies[0]
    return action.code.replace("_", " ") or "denied"


def mark_of(hold: Hold) -> tuple[str, str]:
    """Colour and icon of a settled hold."""
    return _SETTLED.get(Hold.Status(hold.status), ("hold", "player-pause"))


def urgency(hold: Hold, now: datetime) -> float:
    """What is risky, grave and runs out soon comes first: seconds left, weighed by how harmless it is. Smaller is more urgent."""
    return max(0.0, (hold.deadline - now).total_seconds()) * (120 - hold.risk) / _GRAVER.get(hold.severity, 1)
