"""One action with everything about it: what was asked, why it was decided so, who reviewed it, what became of it, its proofs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from cedarpy import pst
from django.db.models import Q
from django.http import Http404

from accounts.models import User
from activity.actions import OPEN
from activity.listing import Row, named
from activity.models import Action, Erasure, Frame, Session
from activity.queries import erasure_of
from activity.visibility import actions_visible_to
from approvals.models import Hold
from approvals.queries import visible_to
from audit import explain
from audit.shared_entries import Shared, shared_of, what_it_shares
from core.errors import Invalid
from ledger.models import Entry
from ledger.proving import Proof, Prover
from policies.models import PolicyVersion
from policies.parse import templates

_MOST_ENTRIES = 40


@dataclass(frozen=True)
class Rule:
    """A policy that determined the decision, in its own words as they were then; `effect` is empty where it is not known."""

    id: str
    effect: str = ""
    why: str = ""


@dataclass(frozen=True)
class Recorded:
    """An entry that speaks of the action, with its proofs: in the ledger, and within the entry where several share it."""

    entry: Entry
    proof: Proof
    shared: Shared | None
    what: str


@dataclass(frozen=True)
class ActionPage:
    """An action as `reader` may see it; what costs a query is fetched when it is asked for."""

    row: Row
    reader: User

    @property
    def action(self) -> Action:
        """The action itself."""
        return self.row.action

    @property
    def decided(self) -> str:
        """The decision in a sentence."""
        return explain.decided(self.action.decision, self.action.code)

    @property
    def masked(self) -> str:
        """What was hidden, in a sentence."""
        return explain.masked(self.action.masked_values, self.action.tags, self.action.masked, self.action.detected)

    @property
    def took(self) -> timedelta | None:
        """From its release to its end."""
        ended, released = self.action.finished_at, self.action.released_at
        return ended - released if ended and released else None

    @cached_property
    def session(self) -> Session | None:
        """The session it was asked in."""
        return Session.objects.filter(id=self.action.session_id).first()

    @cached_property
    def erasure(self) -> Erasure | None:
        """By which what was recorded of it was erased."""
        return erasure_of(self.action)

    @property
    def can_be_erased(self) -> bool:
        """Whether it is over, and what was recorded of it is there."""
        return self.action.erasure_id is None and self.action.status not in {Action.Status.HELD, *OPEN}

    @cached_property
    def frame(self) -> Frame | None:
        """What came back, as far as it was recorded."""
        return Frame.objects.filter(action_id=self.action.id).first()

    @cached_property
    def hold(self) -> Hold | None:
        """The hold it waited in."""
        if self.action.decision != Action.Decision.HOLD:
            return None
        return Hold.objects.filter(action_id=self.action.id).prefetch_related("reviews__reviewer").first()

    @cached_property
    def can_open_hold(self) -> bool:
        """Whether the reader may open that hold."""
        return self.hold is not None and visible_to(self.reader).filter(id=self.hold.id).exists()

    @cached_property
    def rules(self) -> list[Rule]:
        """The policies that determined it."""
        return rules_of(self.action.policies, self.action.policy_version)

    @cached_property
    def recorded(self) -> list[Recorded]:
        """The entries about it, oldest first, each checked now."""
        prover = Prover()
        return [
            Recorded(entry, prover.proof(entry), shared_of(entry, self.action), what_it_shares(entry))
            for entry in _entries(self.action, self.hold)
        ]


def action_page(action_id: UUID, reader: User) -> ActionPage:
    """The action for `reader`. Raises Http404 for one that they may not see."""
    found = actions_visible_to(reader).filter(id=action_id).first()
    if found is None:
        raise Http404
    return ActionPage(named([found])[0], reader)


def rules_of(names: Iterable[str], version: int) -> list[Rule]:
    """The policies called `names` as that version has them."""
    names = list(names)
    text = PolicyVersion.objects.filter(number=version).values_list("text", flat=True).first() if names else None
    try:
        known = {rule.annotations.get("id", ""): rule for rule in templates(text)} if text else {}
    except Invalid:
        known = {}
    return [_rule(name, known.get(name)) for name in names]


def _rule(name: str, rule: pst.Template | None) -> Rule:
    return Rule(name, str(rule.effect), rule.annotations.get("why", "")) if rule else Rule(name)


def _entries(action: Action, hold: Hold | None) -> list[Entry]:
    """Those that name the action or its hold, and those that it names."""
    uids = [uid for uid in (action.entry_id, action.outcome_entry_id) if uid]
    about = Q(uid__in=uids) | Q(action=str(action.id))
    about |= Q(subject_id=str(hold.id)) if hold else Q()
    return list(Entry.objects.filter(about).order_by("index")[:_MOST_ENTRIES])
