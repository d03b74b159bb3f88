"""The fixed cast: the same people in every story, made by the actions that make people anywhere, once for a test run."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group

from accounts import actions
from accounts.models import Role, User
from ledger.entries import Actor

SETUP = Actor(kind="system", id="setup", name="set-up")


@dataclass(frozen=True)
class Cast:
    """Who is who. `reviewer` and `teammate` are in group `dba`, `reviewer2` is in `security`."""

    administrator: User
    second_administrator: User
    reviewer: User
    teammate: User
    reviewer2: User
    owner: User
    deputy: User
    ciso: User
    auditor: User
    engineer: User
    outsider: User
    dba: Group
    security: Group


PEOPLE: dict[str, tuple[str, str, *tuple[Role, ...]]] = {
    "administrator": ("ada", "Ada Admin", Role.ADMINISTRATOR),
    "second_administrator": ("abel", "Abel Admin", Role.ADMINISTRATOR),
    "reviewer": ("rita", "Rita Reviewer", Role.REVIEWER),
    "teammate": ("tom", "Tom Teammate", Role.REVIEWER),
    "reviewer2": ("sam", "Sam Security", Role.REVIEWER),
    "owner": ("olga", "Olga Owner", Role.OWNER),
    "deputy": ("dev", "Dev Deputy", Role.OWNER),
    "ciso": ("cleo", "Cleo Ciso", Role.CISO),
    "auditor": ("aldo", "Aldo Auditor", Role.AUDITOR),
    "engineer": ("enzo", "Enzo Engineer", Role.ENGINEER),
    "outsider": ("otto", "Otto Outsider"),  # no role: refused everywhere
}
MEMBERS = {"reviewer": "dba", "teammate": "dba", "reviewer2": "security"}


def assemble() -> None:
    """Make everybody."""
    people = {part: _person(*said) for part, said in PEOPLE.items()}
    root = people["administrator"]
    groups = {name: actions.create_group(name, actor=root) for name in ("dba", "security")}
    for part, group in MEMBERS.items():
        actions.add_member(people[part], groups[group], actor=root)


def meet() -> Cast:
    """Everybody as the database knows them."""
    people = {person.username: person for person in User.objects.all()}
    groups = {group.name: group for group in Group.objects.all()}
    parts = {part: people[username] for part, (username, *_) in PEOPLE.items()}
    return Cast(dba=groups["dba"], security=groups["security"], **parts)


def _person(username: str, name: str, *roles: Role) -> User:
    return actions.invite(username, email=f"{username}@example.com", name=name, roles=roles, actor=SETUP)
