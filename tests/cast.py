"""The fixed cast: the same people in every story, made by the actions that make people anywhere."""

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


def assemble() -> Cast:
    """Make everybody. The outsider has no role and must be refused everywhere."""
    root = _person("ada", "Ada Admin", Role.ADMINISTRATOR)
    dba = actions.create_group("dba", actor=root)
    security = actions.create_group("security", actor=root)
    people = {
        "second_administrator": _person("abel", "Abel Admin", Role.ADMINISTRATOR),
        "reviewer": _person("rita", "Rita Reviewer", Role.REVIEWER),
        "teammate": _person("tom", "Tom Teammate", Role.REVIEWER),
        "reviewer2": _person("sam", "Sam Security", Role.REVIEWER),
        "owner": _person("olga", "Olga Owner", Role.OWNER),
        "deputy": _person("dev", "Dev Deputy", Role.OWNER),
        "ciso": _person("cleo", "Cleo Ciso", Role.CISO),
        "auditor": _person("aldo", "Aldo Auditor", Role.AUDITOR),
        "engineer": _person("enzo", "Enzo Engineer", Role.ENGINEER),
        "outsider": _person("otto", "Otto Outsider"),
    }
    for name, group in (("reviewer", dba), ("teammate", dba), ("reviewer2", security)):
        actions.add_member(people[name], group, actor=root)
    return Cast(administrator=root, dba=dba, security=security, **people)


def _person(username: str, name: str, *roles: Role) -> User:
    return actions.invite(username, email=f"{username}@example.com", name=name, roles=roles, actor=SETUP)
