"""The nine steps of zero trust: each measured on what is there, or said not to be measured yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from activity.models import Action, Session
from agents.models import Agent, Credential, Resource
from core import words
from ledger.queries import State
from monitoring.queries import Held, Lag

FRESH = timedelta(minutes=5)
"""How old the last checkpoint may be while entries wait."""
HEARD = timedelta(seconds=15)
"""How long the detector may be silent."""
CUT = timedelta(seconds=2)
"""How long after its credential was revoked a session may be open."""


@dataclass(frozen=True)
class Step:
    """One step: `short` counts what falls short, None where nothing measures it yet; `says` is the figure in words."""

    name: str
    says: str
    short: int | None

    @property
    def state(self) -> str:
        """`met`, `short` or `unmeasured`."""
        return "unmeasured" if self.short is None else "short" if self.short else "met"


def steps(agents: list[Agent], ledger: State, behind: Lag, permissions: Held, since: datetime) -> list[Step]:
    """All nine, in order."""
    measured: list[Callable[[], Step]] = [
        lambda: _roles(agents),
        lambda: _identity(agents),
        lambda: _authentication(since),
        lambda: _policy(since),
        lambda: _privilege(permissions),
        lambda: _monitoring(behind, len(agents) - permissions.scored),
        _revocation,
        _isolation,
        lambda: _audits(ledger),
    ]
    return [step() for step in measured]


def _roles(agents: list[Agent]) -> Step:
    without = sum(not (agent.purpose and agent.function) for agent in agents)
    return Step(
        "Roles defined", f"all {words.count(len(agents))} have one" if not without else f"{without} have none", without
    )


def _identity(agents: list[Agent]) -> Step:
    keys = Agent.objects.filter(id__in=[agent.id for agent in agents]).annotate(
        n=Count("keys", filter=Q(keys__revoked_at=None))
    )
    without = sum(agent.n == 0 for agent in keys)
    return Step("Unique identity", "each its own key" if not without else f"{without} without a key", without)


def _authentication(since: datetime) -> Step:
    bearers = (
        Credential.objects.filter(issued_at__gte=since, kind=Credential.Kind.BEARER).values("agent").distinct().count()
    )
    return Step(
        "Mutual authentication",
        f"{words.plural(bearers, 'agent')} on bearer tokens" if bearers else "no bearer tokens",
        bearers,
    )


def _policy(since: datetime) -> Step:
    asked = Action.objects.filter(asked_at__gte=since)
    without = asked.filter(policy_version=0, decision="allow").count()
    return Step("Policy engine", "every action decided" if not without else f"{without} without a version", without)


def _privilege(permissions: Held) -> Step:
    """Agents of whose permissions more than half were never used."""
    broad = permissions.broad
    if not permissions.measured:
        return Step("Least privilege", "not measured yet", None)
    says = f"{words.plural(broad, 'agent')} used less than half" if broad else "each uses half or more"
    return Step("Least privilege", says, broad)


def _monitoring(behind: Lag, unscored: int) -> Step:
    if behind.silent is None or behind.silent > HEARD:
        return Step("Monitoring", "the detector is silent", 1)
    if unscored > 0:
        return Step("Monitoring", f"{words.plural(unscored, 'agent')} not scored yet", unscored)
    says = f"{words.plural(behind.entries, 'entry', 'entries')} behind" if behind.entries else "reads every entry"
    return Step("Monitoring", says, 0)


def _revocation() -> Step:
    """Sessions that outlived their credential's revocation."""
    revoked = Credential.objects.filter(revoked_at__lt=timezone.now() - CUT)
    late = Session.objects.filter(ended_at=None, credential_id__in=revoked.values("id")).count()
    says = f"{words.plural(late, 'session')} outlived it" if late else "every session ended with it"
    return Step("Automatic revocation", says, late)


def _isolation() -> Step:
    bare = Resource.objects.filter(retired_at=None, secrets=None).count()
    return Step("Credential isolation", "every secret in the vault" if not bare else f"{bare} without a secret", bare)


def _audits(ledger: State) -> Step:
    if ledger.checkpoint is None:
        return Step("Audits", "no checkpoint yet", 1)
    late = ledger.waiting is not None and ledger.waiting > FRESH
    age = ledger.age.total_seconds() if ledger.age else 0.0
    return Step("Audits", f"signed {words.span(age)} ago" if age >= 2 else "signed just now", int(late))
