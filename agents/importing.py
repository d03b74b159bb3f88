"""What a file would change of the inventory, and changing it in one go: every row or none, an entry each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Final

from django.db import transaction

from accounts.actors import require_role
from accounts.models import Role, User
from agents import actions, keys, lookups, naming
from agents.api_bodies import AddResourceBody, ChangeAgentBody, ChangeResourceBody, EnrolBody
from agents.carrying import FIELDS, Row, rows_of
from agents.described import checked, described_in
from agents.differences import said
from agents.models import Agent, Resource
from core.errors import Invalid, NarrowgateError, Refused

Thing = Agent | Resource


@dataclass(frozen=True)
class Difference:
    """A field with what it holds and what it would."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Item:
    """What becomes of one row: `verb` is create, change, same or refuse. `about` (a field), `problem` and `remedy` are of a refusal."""

    line: int
    name: str
    verb: str
    differences: tuple[Difference, ...] = ()
    about: str = ""
    problem: str = ""
    remedy: str = ""
    given: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)
    thing: Thing | None = field(default=None, compare=False, hash=False)


@dataclass(frozen=True)
class Plan:
    """What a file would do. `digest` names exactly that: what was looked at is what is done, or nothing is."""

    items: tuple[Item, ...]

    def of(self, verb: str) -> list[Item]:
        """The rows of which that becomes."""
        return [item for item in self.items if item.verb == verb]

    @property
    def created(self) -> int:
        """How many would be new."""
        return len(self.of("create"))

    @property
    def changed(self) -> int:
        """How many would differ."""
        return len(self.of("change"))

    @property
    def same(self) -> int:
        """How many are so already."""
        return len(self.of("same"))

    @property
    def refused(self) -> list[Item]:
        """The rows for which nothing can be done."""
        return self.of("refuse")

    @property
    def digest(self) -> str:
        """The SHA-256 of what would be done."""
        told = [
            (one.line, one.name, one.verb, [vars(part) for part in one.differences], one.problem) for one in self.items
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def plan(text: str, form: str, what: str, *, actor: User) -> Plan:
    """What the file would do; nothing is done. Raises Refused (not an engineer) and Invalid (not such a file)."""
    require_role(actor, Role.ENGINEER)
    rows = rows_of(text, form, what)
    known, names = {thing.name: thing for thing in _known(what, rows)}, Names()
    return Plan(tuple(_item(row, known.get(row.name), what, names) for row in rows))


def apply(text: str, form: str, what: str, *, seen: str, actor: User) -> Plan:
    """Do what the plan whose digest is `seen` says, all of it or nothing.

    Raises Refused (the role; code `stale` where the inventory or the file is another by now; `refused_rows` where a row cannot be
    used) and Invalid.
    """
    with transaction.atomic():
        found = plan(text, form, what, actor=actor)
        if found.digest != seen:
            raise Refused("Since you looked, this would do something else.", "Look at it again.", code="stale")
        if found.refused:
            raise Refused(
                "Some rows cannot be used, so nothing was changed.",
                "Mend them, or leave them out.",
                code="refused_rows",
            )
        for item in found.items:
            try:
                _DO[what](item, actor)
            except Invalid as error:
                raise Invalid(error.field, f"Line {item.line}: {error.message}", error.remedy) from None
    return found


def exported(things: Iterator[Thing], what: str) -> Iterator[dict[str, Any]]:
    """Each thing as a file has it; no key and no secret."""
    for thing in things:
        yield {name: _plain(getattr(thing, name)) for name in FIELDS[what] if name != "public_jwk"}


# ---- one row ----
_CREATE: Final[Mapping[str, Any]] = {"agents": EnrolBody, "resources": AddResourceBody}
_CHANGE: Final[Mapping[str, Any]] = {"agents": ChangeAgentBody, "resources": ChangeResourceBody}


def _known(what: str, rows: Sequence[Row]) -> Sequence[Thing]:
    names = [row.name for row in rows]
    if what == "agents":
        return list(Agent.objects.filter(name__in=names).select_related("segment", "owner", "deputy"))
    return list(Resource.objects.filter(name__in=names).select_related("segment", "owner"))


class Names:
    """Segments and people by name, each looked up once: a file names the same few again and again."""

    def __init__(self) -> None:
        self.segment, self.person = cache(lookups.segment_named), cache(lookups.person_named)


def _item(row: Row, thing: Thing | None, what: str, names: Names) -> Item:
    try:
        if thing is None:
            given = _read(row, _CREATE[what], what, names)
            _require_creatable(given, what)
            return Item(row.line, row.name, "create", given=given)
        given = _read(row, _CHANGE[what], what, names)
        _require_changeable(row, thing)
    except NarrowgateError as error:
        at = error.field if isinstance(error, Invalid) else ""
        return Item(row.line, row.name, "refuse", about=at, problem=error.message, remedy=error.remedy)
    differences = tuple(_differences(thing, given))
    return Item(row.line, row.name, "change" if differences else "same", differences, given=given, thing=thing)


def _read(row: Row, body: Any, what: str, names: Names) -> dict[str, Any]:  # noqa: ANN401 -- a serializer's class
    """The row's values, checked as the API checks them. Raises Invalid for the first field that cannot be used."""
    values = {name: value for name, value in row.values.items() if value != "" or name in _EMPTIABLE}
    values = {name: None if name == "review_by" and value == "" else value for name, value in values.items()}
    serializer = body(data=values)
    if not serializer.is_valid():
        name, problems = next(iter(serializer.errors.items()))
        first = problems[0] if isinstance(problems, list) else problems
        raise Invalid(str(name), str(first))
    given = dict(serializer.validated_data)
    if "segment" in given:
        given["segment"] = names.segment(given["segment"])
    for person in ("owner", "deputy"):
        if person in given:
            given[person] = names.person(given[person], person) if given[person] else None
    return {**given, **checked(described_in(given))} if what == "agents" else given


_EMPTIABLE: Final = frozenset(
    {
        "deputy",
        "task_scope",
        "runtime",
        "model_vendor",
        "model_name",
        "model_version",
        "framework",
        "code_digest",
        "review_by",
        "role",
    }
)
"""Fields that an empty cell empties; elsewhere it says nothing."""


def _require_creatable(given: Mapping[str, Any], what: str) -> None:
    if what == "agents":
        naming.parse(given["name"])
        keys.public_key(given["public_jwk"])


def _require_changeable(row: Row, thing: Thing) -> None:
    gone = thing.status == Agent.Status.RETIRED if isinstance(thing, Agent) else thing.retired_at is not None
    if gone:
        raise Invalid("name", f"{thing.name} is retired, and a name is never used again.", "Choose another name.")
    if isinstance(thing, Resource) and row.values.get("kind", thing.kind) != thing.kind:
        raise Invalid("kind", f"{thing.name} is of another kind, which does not change.", "Add another resource.")


def _differences(thing: Thing, given: Mapping[str, Any]) -> Iterator[Difference]:
    for name, value in given.items():
        before = getattr(thing, name)
        if before != value:
            yield Difference(name, _told(before), _told(value))


def _told(value: Any) -> str:  # noqa: ANN401 -- whatever a field holds
    if isinstance(value, User):
        return value.username
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(said(value))


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a field holds
    if isinstance(value, User):
        return value.username
    if isinstance(value, list | int) or value is None:
        return "" if value is None else value
    return value.isoformat() if isinstance(value, date) else str(value)


def _do_agent(item: Item, actor: User) -> None:
    if item.verb == "create":
        actions.enrol(**item.given, actor=actor)
    elif item.thing is not None and item.verb == "change":
        about: Any = {one.field: item.given[one.field] for one in item.differences}
        actions.change_agent(item.thing.id, actor=actor, **about)


def _do_resource(item: Item, actor: User) -> None:
    given: Any = dict(item.given)
    if item.verb == "create":
        actions.add_resource(**given, actor=actor)
    elif item.thing is not None and item.verb == "change":
        actions.change_resource(item.thing.id, actor=actor, **{one.field: given[one.field] for one in item.differences})


_DO: Final[Mapping[str, Callable[[Item, User], None]]] = {"agents": _do_agent, "resources": _do_resource}
