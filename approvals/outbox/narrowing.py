"""The agents and resources that somebody wants to hear of alone, by name as people write them and by identifier as rows keep them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from accounts.models import User
from agents.queries import visible_agents, visible_resources
from core.errors import Invalid

MOST = 200


def agent_ids(names: Sequence[str], user: User) -> list[UUID]:
    """The identifiers of the agents called so that `user` may see. Raises Invalid about `agents`."""
    rows = visible_agents(user).filter(name__in=names).values_list("name", "id")
    return _ids("agents", names, dict(rows))


def resource_ids(names: Sequence[str], user: User) -> list[UUID]:
    """The identifiers of the resources called so that `user` may see. Raises Invalid about `resources`."""
    rows = visible_resources(user).filter(name__in=names).values_list("name", "id")
    return _ids("resources", names, dict(rows))


def agent_names(ids: Collection[UUID], user: User) -> list[str]:
    """What those of them that `user` may see are called."""
    return sorted(visible_agents(user).filter(id__in=ids).values_list("name", flat=True)) if ids else []


def resource_names(ids: Collection[UUID], user: User) -> list[str]:
    """What those of them that `user` may see are called."""
    return sorted(visible_resources(user).filter(id__in=ids).values_list("name", flat=True)) if ids else []


def _ids(field: str, names: Sequence[str], known: dict[str, UUID]) -> list[UUID]:
    if len(set(names)) > MOST:
        raise Invalid(field, f"That are more than {MOST}.", "Leave it empty, and it hears of all.")
    missing = sorted(set(names) - known.keys())
    if missing:
        what = field.removesuffix("s")
        raise Invalid(field, f"There is no {what} {missing[0][:100]} here.", "Write it as its page does.")
    return [known[name] for name in sorted(set(names))]
