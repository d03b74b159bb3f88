"""What people name when they register something: segments, people, groups, each found or refused in words."""

from __future__ import annotations

from difflib import get_close_matches

from django.contrib.auth.models import Group

from accounts.models import User
from agents.models import Agent, Resource, Segment
from agents.naming import AgentName
from agents.queries import visible_agents, visible_resources
from core.errors import Invalid


def segment_named(name: str) -> Segment:
    """The segment called `name` that is not retired. Raises Invalid with the nearest one."""
    found = Segment.objects.filter(name=name, retired_at=None).first()
    if found is None:
        known = list(Segment.objects.filter(retired_at=None).order_by("name").values_list("name", flat=True)[:200])
        raise Invalid("segment", f"There is no segment {name}.", _nearest(name, known, "Make one first."))
    return found


def person_named(username: str, field: str = "owner") -> User:
    """The active person with this user name. Raises Invalid about `field`."""
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        known = list(User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:500])
        close = get_close_matches(username, known, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "Use the user name they sign in with."
        raise Invalid(field, f"Nobody here is called {username}.", remedy)
    return found


def free_name(name: AgentName) -> str:
    """What to say to whoever chose a name that is taken: the next instance that never was, if there is one."""
    stem = f"{name.function}.{name.environment}"
    taken = set(Agent.objects.filter(name__startswith=stem).values_list("name", flat=True))
    free = next((f"{stem}.{n:02d}" for n in range(1, 100) if f"{stem}.{n:02d}" not in taken), "")
    return f"A name is never used again. {free} is free." if free else "A name is never used again. Choose another."


def agent_named(name: str, user: User) -> Agent:
    """The active agent called `name`, among those that `user` may see. Raises Invalid."""
    found = visible_agents(user).filter(name=name, status=Agent.Status.ACTIVE).first()
    if found is None:
        raise Invalid("agent", f"You see no active agent {name}.", "Its page says its name, and whether it is active.")
    return found


def resource_named(name: str, user: User) -> Resource:
    """The resource called `name` that is not retired, among those that `user` may see. Raises Invalid."""
    found = visible_resources(user).filter(name=name, retired_at=None).first()
    if found is None:
        raise Invalid(
            "resource", f"You see no resource {name}.", "Ask whoever answers for the agent what it is called."
        )
    return found


def account_named(username: str) -> User:
    """The person with this user name, whether their account is open or closed: what they own can be stopped. Raises Invalid."""
    found = User.objects.filter(username=username).first()
    return found or person_named(username)


def group_named(name: str) -> Group:
    """The group of people called `name`. Raises Invalid with the nearest one."""
    found = Group.objects.filter(name=name).first()
    if found is None:
        known = list(Group.objects.order_by("name").values_list("name", flat=True)[:200])
        raise Invalid("group", f"There is no group {name}.", _nearest(name, known, "An administrator makes groups."))
    return found


def _nearest(name: str, known: list[str], otherwise: str) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known are {', '.join(known[:12])}." if known else otherwise
