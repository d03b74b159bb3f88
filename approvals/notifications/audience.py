"""Whom an entry concerns: those who may see it and have to act or to answer for it. Nobody is told of what they did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from accounts.models import Role, User
from accounts.quorum import Requirement, Seat, could_fill, fits
from agents.locking import answerable
from agents.models import Agent
from agents.reinstating_actions import STOPPED, may_confirm
from approvals.absence_actions import asked_instead, away, stands_in
from approvals.eligibility import Bench
from approvals.models import Hold
from approvals.notifications.choosing import NOTHING, Concern
from approvals.notifications.kinds import OUTCOMES, Kind
from approvals.notifications.told import Told
from approvals.queries import RELATED
from core.db import db_now
from ledger.events import Event
from ledger.models import Entry
from policies.models import PolicyRollback
from policies.queries import unreviewed

ABOUT_AN_AGENT = (
    Event.AGENT_SUSPENDED, Event.AGENT_REINSTATED, Event.AGENT_ACTIVATED, Event.AGENT_UNUSED, Event.AGENT_OWNERLESS,
    Event.REINSTATEMENT_ASKED,
)  # fmt: skip
MAY_APPROVE_POLICIES = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)


@dataclass(frozen=True)
class Telling:
    """Something to tell somebody."""

    person: User
    kind: Kind
    told: Told
    concern: Concern = NOTHING


def audience(told: Collection[Told]) -> list[Telling]:
    """Everybody whom these entries concern; a handful of queries however many entries."""
    known = _Known(told)
    return [
        Telling(person, kind, one, known.concern(one))
        for one in told
        for kind, people in _concerned(one, known)
        for person in people
        if str(person.id) != one.actor
    ]


class _Known:
    """What has to be looked up to understand a batch, each in one query, when it is first needed."""

    def __init__(self, told: Collection[Told]) -> None:
        self._told = told

    def concern(self, told: Told) -> Concern:
        """What an entry is about, as far as people narrow by it."""
        if told.event in ABOUT_AN_AGENT:
            return Concern(agent=told.subject)
        hold = self.holds.get(told.subject)
        if hold is None:
            return NOTHING
        policies = frozenset(str(reason["policy"]) for reason in hold.reasons)
        return Concern(hold.agent_id, hold.resource_id, policies, hold.severity)

    def _subjects(self, *events: str) -> set[UUID]:
        return {one.subject for one in self._told if one.event in events}

    @cached_property
    def holds(self) -> Mapping[UUID, Hold]:
        """The holds by identifier, with whatever their standing takes."""
        found = Hold.objects.filter(
            id__in=self._subjects(
                Event.HOLD_ASKED,
                Event.HOLD_STAGE,
                Event.HOLD_ESCALATED,
                Event.HOLD_HANDED,
                Event.HOLD_REMINDED,
                Event.HOLD_QUESTIONED,
                Event.HOLD_ANSWERED,
                Event.GLASS_BROKEN,
                Event.GLASS_OVERDUE,
                *OUTCOMES,
            )
        ).select_related(*RELATED)
        return {hold.id: hold for hold in found}

    @cached_property
    def agents(self) -> Mapping[UUID, Agent]:
        """The agents by identifier."""
        ids = self._subjects(*ABOUT_AN_AGENT)
        return {one.id: one for one in Agent.objects.filter(id__in=ids).select_related("owner", "deputy")}

    @cached_property
    def reviewers(self) -> list[User]:
        """The reviewers in any group that a waiting hold of the batch needs."""
        owners = {hold.resource.owner for hold in self.waiting if hold.asks_owner and hold.resource.owner}
        owners |= {hold.manager for hold in self.waiting if hold.asks_manager and hold.manager}
        groups = {group for hold in self.waiting for group in Requirement.of(hold.requirement).groups}
        return list({*self.reviewers_in(groups), *(owner for owner in owners if owner.is_active)})

    @cached_property
    def bench(self) -> Bench:
        """Those reviewers before those holds."""
        return Bench(self.reviewers, self.waiting)

    @cached_property
    def waiting(self) -> list[Hold]:
        """The holds of the batch that still wait."""
        return [hold for hold in self.holds.values() if hold.status == Hold.Status.WAITING]

    @cached_property
    def staff(self) -> list[User]:
        """Everybody with a role that is told of what concerns the whole."""
        return list(User.objects.filter(is_active=True, roles__overlap=[str(role) for role in MAY_APPROVE_POLICIES]))

    @cached_property
    def asked_by(self) -> Mapping[UUID, User]:
        """Who asked for each report."""
        ids = {str(key) for key in self._subjects(Event.REPORT_MADE, Event.REPORT_FAILED)}
        asked = Entry.objects.filter(event=Event.REPORT_ASKED, subject_id__in=ids).values_list("subject_id", "actor_id")
        by = {UUID(subject): actor for subject, actor in asked}
        people = {str(one.id): one for one in User.objects.filter(id__in=by.values(), is_active=True)} if by else {}
        return {report: people[actor] for report, actor in by.items() if actor in people}

    @cached_property
    def rollbacks(self) -> list[PolicyRollback]:
        """The roll-backs to versions of the batch that nobody else has looked at."""
        versions = self._subjects(Event.POLICY_ACTIVATED, Event.POLICY_ROLLBACK_OVERDUE)
        return list(unreviewed().filter(version__in=versions))

    @cached_property
    def accounts(self) -> Mapping[UUID, User]:
        """The accounts that changes are about."""
        ids = self._subjects(Event.MEMBERSHIP_CHANGED, Event.CHANGE_ASKED)
        return {one.id: one for one in User.objects.filter(id__in=ids)}

    def reviewers_in(self, groups: Collection[str]) -> list[User]:
        """Active reviewers in any of `groups`."""
        reviewers = User.objects.filter(memberships__group__name__in=groups, roles__contains=[Role.REVIEWER])
        return list(reviewers.filter(is_active=True).distinct())

    @cached_property
    def _away(self) -> Mapping[UUID, UUID]:
        """Who of the reviewers is away, with their delegates."""
        return away(self.reviewers, now=db_now())

    def present(self, people: Iterable[User]) -> list[User]:
        """Those of `people`, who may all review the same, that are to be told of it."""
        return asked_instead(people, self._away)

    def of_role(self, *roles: Role) -> list[User]:
        """Active people with one of `roles`."""
        return [one for one in self.staff if one.has_role(*roles)]


Concerned = Iterator[tuple[Kind, Iterable[User]]]


def _concerned(told: Told, known: _Known) -> Concerned:
    about = {
        Event.HOLD_ASKED: _asked,
        Event.HOLD_STAGE: _asked,
        Event.HOLD_ESCALATED: _asked,
        Event.HOLD_HANDED: _handed,
        Event.HOLD_REMINDED: _reminded,
        Event.HOLD_QUESTIONED: _questioned,
        Event.HOLD_ANSWERED: _answered,
        Event.GLASS_BROKEN: _glass,
        Event.GLASS_OVERDUE: _glass,
        **dict.fromkeys(OUTCOMES, _outcome),
        Event.INCIDENT_OPENED: _incident,
        Event.CONTAINMENT_WITHHELD: _incident,
        Event.AGENT_SUSPENDED: _agent,
        Event.AGENT_REINSTATED: _agent,
        Event.AGENT_ACTIVATED: _agent,
        Event.AGENT_UNUSED: _agent,
        Event.AGENT_OWNERLESS: _ownerless,
        Event.REINSTATEMENT_ASKED: _reinstatement,
        Event.POLICY_PROPOSED: _policy,
        Event.POLICY_ACTIVATED: _rollback,
        Event.POLICY_ROLLBACK_OVERDUE: _rollback,
        Event.MEMBERSHIP_CHANGED: _second,
        Event.CHANGE_ASKED: _second,
        Event.TOOL_QUARANTINED: _tools,
        Event.WEBHOOK_STOPPED: _webhook,
        Event.REPORT_MADE: _report,
        Event.REPORT_FAILED: _report,
    }
    tell: Callable[[Told, _Known], Concerned] | None = about.get(told.event)
    return tell(told, known) if tell else iter(())


def _asked(told: Told, known: _Known) -> Concerned:
    """Those who may review it; administrators, where they cannot fill its seats. Nobody, once it is settled."""
    hold = known.holds.get(told.subject)
    if hold is None or hold.status != Hold.Status.WAITING:
        return
    standings = [known.bench.standing(person, hold) for person in known.reviewers]
    eligible = [one for one in standings if one.eligible]
    needs = Requirement.of(hold.requirement)
    now = needs.then if told.event == Event.HOLD_STAGE else needs.seats
    yield Kind.REVIEW, known.present(one.user for one in eligible if any(fits(seat, one.groups) for seat in now))
    seats = [Seat(str(one.user.person), one.groups) for one in eligible]
    if not could_fill(needs, seats):
        yield Kind.STUCK, known.of_role(Role.ADMINISTRATOR)


def _handed(told: Told, known: _Known) -> Concerned:
    """Whom it was handed to, while it waits."""
    hold = known.holds.get(told.subject)
    if hold is not None and hold.status == Hold.Status.WAITING and hold.handed_to:
        yield Kind.REVIEW, {hold.handed_to, stands_in(hold.handed_to, hold, now=db_now())}


def _reminded(told: Told, known: _Known) -> Concerned:
    """Those who may review it and have not."""
    hold = known.holds.get(told.subject)
    if hold is None or hold.status != Hold.Status.WAITING:
        return
    done = {review.reviewer.person for review in hold.reviews.select_related("reviewer") if review.retracted_at is None}
    standings = [known.bench.standing(person, hold) for person in known.reviewers if person.person not in done]
    yield Kind.REVIEW, known.present(one.user for one in standings if one.eligible)


def _questioned(told: Told, known: _Known) -> Concerned:
    """Those who can answer it."""
    hold = known.holds.get(told.subject)
    yield Kind.QUESTION, _answerable(hold.agent) if hold else []


def _answered(told: Told, known: _Known) -> Concerned:
    """Those who asked."""
    hold = known.holds.get(told.subject)
    yield Kind.QUESTION, {one.asked_by for one in hold.questions.select_related("asked_by")} if hold else []


def _glass(told: Told, known: _Known) -> Concerned:
    """All whom it concerns that an action went through on one person's word: who could have decided it, who answers for the agent
    and for the whole. Those who have to look at it are among them.
    """
    hold = known.holds.get(told.subject)
    if hold is not None:
        reviewers = known.reviewers_in({*Requirement.of(hold.requirement).groups, *hold.breakglass})
        yield Kind.GLASS, {*_answerable(hold.agent), *known.of_role(Role.CISO, Role.ADMINISTRATOR), *reviewers}


def _outcome(told: Told, known: _Known) -> Concerned:
    hold = known.holds.get(told.subject)
    yield Kind.OUTCOME, _answerable(hold.agent) if hold else []


def _agent(told: Told, known: _Known) -> Concerned:
    agent = known.agents.get(told.subject)
    yield Kind.AGENT, _answerable(agent) if agent else []


def _reinstatement(told: Told, known: _Known) -> Concerned:
    """Whoever may confirm: neither who asked nor who answers for the agent. Nobody, once it acts again or never will."""
    agent = known.agents.get(told.subject)
    if agent is None or agent.status not in STOPPED:
        return
    involved = answerable(agent) | {one.person for one in known.staff if str(one.id) == told.actor}
    yield Kind.REINSTATE, [one for one in known.of_role(*may_confirm(agent)) if one.person not in involved]


def _tools(_told: Told, known: _Known) -> Concerned:
    """Those who can accept it."""
    yield Kind.TOOLS, known.of_role(Role.ENGINEER)


def _webhook(_told: Told, known: _Known) -> Concerned:
    """Those who can let it go on."""
    yield Kind.WEBHOOK, known.of_role(Role.ADMINISTRATOR)


def _ownerless(told: Told, known: _Known) -> Concerned:
    """Those who can name another owner, and the deputy."""
    agent = known.agents.get(told.subject)
    if agent is not None:
        yield Kind.AGENT, {*_answerable(agent), *known.of_role(Role.ENGINEER)}


def _incident(told: Told, known: _Known) -> Concerned:
    yield Kind.INCIDENT, known.of_role(Role.CISO)


def _policy(told: Told, known: _Known) -> Concerned:
    """Whoever may approve it: not its author, by whichever account."""
    author = {one.person for one in known.staff if str(one.id) == told.actor}
    yield Kind.POLICY, [one for one in known.of_role(*MAY_APPROVE_POLICIES) if one.person not in author]


def _rollback(told: Told, known: _Known) -> Concerned:
    """Whoever may look at it: not who rolled back. Nobody, where it was none, or somebody has looked."""
    by = {one.by.person for one in known.rollbacks if one.version_id == told.subject}
    if by:
        yield Kind.POLICY, [one for one in known.of_role(*MAY_APPROVE_POLICIES) if one.person not in by]


def _second(told: Told, known: _Known) -> Concerned:
    """The administrators who may confirm: neither who asked nor whom it is about. What the system did needs nobody."""
    asker = {one.person for one in known.staff if str(one.id) == told.actor}
    if not asker or (told.event == Event.MEMBERSHIP_CHANGED and told.change != "added"):
        return
    involved = asker | {known.accounts[told.subject].person} if told.subject in known.accounts else asker
    yield Kind.SECOND, [one for one in known.of_role(Role.ADMINISTRATOR) if one.person not in involved]


def _report(told: Told, known: _Known) -> Concerned:
    person = known.asked_by.get(told.subject)
    yield Kind.REPORT, [person] if person else []


def _answerable(agent: Agent) -> list[User]:
    return [person for person in (agent.owner, agent.deputy) if person and person.is_active]
