"""One hold with everything a reviewer weighs: what, how much, who, why, what came before, who else may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone

from accounts.models import User
from accounts.passkeys import passkeys_of
from accounts.quorum import Requirement
from activity.models import Action, Erasure, Session
from activity.queries import erasure_of
from activity.visibility import may_read
from agents.locking import answerable
from agents.models import Credential
from agents.tool_models import ToolDefinition
from approvals import commands, glass_actions, granting, presence, presentation, queries
from approvals.board import Row, one_with_relations, rows
from approvals.changed import Changed, since_last
from approvals.eligibility import Standing
from approvals.forms import ALIKE, LASTS, OFTEN
from approvals.models import BrokenGlass, Hold, HoldQuestion, Review
from approvals.sampled import Sampled, sampled, why_none
from approvals.story import Step, story, verdict
from core import words
from ledger.models import Entry
from ledger.proving import Proof, Prover
from policies.verbs import MCP_CALL, MCP_PROMPT

_MOST_NAMES = 8


@dataclass(frozen=True)
class Case:
    """A hold and its surroundings, as `reader` may see them; what costs a query is fetched when it is asked for."""

    row: Row
    reader: User

    @property
    def hold(self) -> Hold:
        """The hold itself."""
        return self.row.hold

    @property
    def waiting(self) -> bool:
        """Whether people can still decide."""
        return self.hold.status == Hold.Status.WAITING

    @property
    def can_decide(self) -> bool:
        """Whether this reader can approve, now."""
        return self.row.needs_reader

    @property
    def lookers(self) -> list[str]:
        """Colleagues who have it open now."""
        return presence.lookers(self.hold.id, self.reader) if self.waiting else []

    @property
    def asks(self) -> bool:
        """Whether this reader may ask the agent's owner something."""
        return self.row.can_deny

    @property
    def answers(self) -> bool:
        """Whether this reader may answer for the agent."""
        return self.can_withdraw

    @cached_property
    def questions(self) -> list[HoldQuestion]:
        """What reviewers asked the agent's owner; where nothing was asked, nobody is asked for it."""
        return list(self.hold.questions.select_related("asked_by", "answered_by")) if self.hold.asked else []

    @property
    def can_withdraw(self) -> bool:
        """Whether it waits and this reader answers for the agent."""
        return self.waiting and self.reader.person in answerable(self.hold.agent)

    @property
    def approved(self) -> int:
        """How many people have approved."""
        return presentation.approved(self.row.chairs)

    @property
    def touch(self) -> presentation.Touch:
        """How much it would touch."""
        return presentation.touch(self.hold)

    @property
    def sampled(self) -> Sampled | None:
        """A few of the rows that it would touch."""
        return sampled(self.hold)

    @property
    def no_rows(self) -> str:
        """Why none are shown."""
        return why_none(self.hold)

    @property
    def locks(self) -> str:
        """What it keeps others from."""
        return presentation.locks(self.hold)

    @property
    def now(self) -> datetime:
        """The moment it is looked at."""
        return timezone.now()

    @property
    def tables(self) -> str:
        """The tables it names, without the usual schema; the operation, where it is none of SQL."""
        if not self.hold.verb.startswith("sql:"):
            return self.hold.shape
        names = [str(table).removeprefix("public.") for table in self.hold.tables]
        return words.listing(names) if names else "no table"

    @cached_property
    def tool(self) -> ToolDefinition | None:
        """The tool or prompt of a tool server that it is, as people have accepted it."""
        kind = {MCP_CALL: ToolDefinition.Kind.TOOL, MCP_PROMPT: ToolDefinition.Kind.PROMPT}.get(self.hold.verb)
        if kind is None:
            return None
        known = ToolDefinition.objects.filter(resource=self.hold.resource_id, kind=kind, name=self.hold.shape)
        return known.exclude(accepted_digest="").first()

    @cached_property
    def changed(self) -> Changed | None:
        """What is different from the last time that it asked this, while people can decide."""
        return since_last(self.hold) if self.waiting else None

    @property
    def run_words(self) -> str:
        """What the text that will run is written in."""
        if self.hold.verb.startswith(commands.PREFIX):
            return commands.heading(self.parts)
        return "SQL, tagged values hidden" if self.hold.verb.startswith("sql:") else "as the agent sent it"

    @cached_property
    def parts(self) -> list[commands.Part]:
        """What a command comes down to."""
        return commands.parts_of(self.hold.verb, self.hold.estimate)

    @property
    def digest_words(self) -> str:
        """The digest that was reviewed, shortly."""
        return f"digest {words.digest(self.hold.digest)}"

    @property
    def missing_words(self) -> str:
        """Who is still missing."""
        groups = [chair.who for chair in self.row.chairs if chair.state != "on"]
        return f"{len(groups)} more {'is' if len(groups) == 1 else 'are'} needed: {words.listing(list(dict.fromkeys(groups)))}."

    @property
    def consequence(self) -> str:
        """What the reader's approval does."""
        return presentation.consequence(self.row.chairs)

    @property
    def can_break(self) -> bool:
        """Whether it waits for several people and this reader may let it through alone, in an emergency."""
        if not (self.waiting and self.hold.breakglass and len(self.row.chairs) > 1):
            return False
        return self.row.bench.standing(self.reader, self.hold, wanted=self.hold.breakglass).eligible

    @cached_property
    def glass(self) -> BrokenGlass | None:
        """That somebody let it through alone, with who looked at it since."""
        if self.waiting or not self.hold.breakglass:
            return None
        return queries.visible_glass(self.reader).filter(hold=self.hold).first()

    @property
    def cannot_look(self) -> str:
        """Why this reader cannot be one of those who look at it; empty where they can."""
        return glass_actions.cannot_look(self.reader, self.glass, self.hold) if self.glass else ""

    @property
    def looks_missing(self) -> int:
        """How many more have to look at it."""
        return glass_actions.LOOKERS - len(self.glass.looks.all()) if self.glass and not self.glass.done_at else 0

    @cached_property
    def has_passkey(self) -> bool:
        """Whether this reader has a passkey to sign with."""
        return bool(passkeys_of(self.reader))

    @property
    def left_out(self) -> str:
        """The groups whom policy lets nobody of decide it."""
        return words.listing(sorted(Requirement.of(self.hold.requirement).without))

    @property
    def not_yet(self) -> bool:
        """Whether this reader may review it, and others have to come first."""
        needs = Requirement.of(self.hold.requirement)
        first = self.row.chairs[: sum(needs.seats.values())]
        return bool(needs.then) and any(chair.state != "on" for chair in first)

    @property
    def once_only(self) -> str:
        """Why an approval cannot be wider than once."""
        return granting.once_only(self.hold)

    @property
    def wider(self) -> dict[str, Any]:
        """What an approval for a while can say: how alike, how long, how often."""
        scopes = [(scope, words) for scope, words in ALIKE if scope in granting.scopes_of(self.hold)]
        return {"scopes": scopes, "lasts": LASTS, "often": OFTEN, "together": len(self.row.chairs) > 1}

    @property
    def arms(self) -> bool:
        """Whether approving takes a second to arm."""
        return self.hold.risk >= 80 or self.hold.severity == granting.ONCE_ONLY

    @cached_property
    def erasure(self) -> Erasure | None:
        """By which what was recorded of its action was erased; while people can decide, there is none."""
        return None if self.waiting else erasure_of(Action.objects.filter(id=self.hold.action_id).first())

    @cached_property
    def again(self) -> Hold | None:
        """The hold that asks again what was denied here."""
        return queries.visible_to(self.reader).filter(resubmits=self.hold).first() if self.hold.justification else None

    @cached_property
    def session(self) -> Session | None:
        """The session that asked."""
        return Session.objects.filter(id=self.hold.session_id).first()

    @cached_property
    def credential(self) -> Credential | None:
        """What it proved its identity with."""
        return Credential.objects.filter(id=self.session.credential_id).first() if self.session else None

    @property
    def credential_age(self) -> str:
        """How old its token was when it asked, and how long it lasts."""
        if self.credential is None:
            return ""
        age = words.span(max(timedelta(), self.hold.asked_at - self.credential.issued_at))
        return f"{age} old when it asked, expires {words.clock(self.credential.expires_at)}"

    @cached_property
    def can_replay(self) -> bool:
        """Whether this reader may open the session's replay."""
        return self.session is not None and may_read(self.reader, self.hold.agent, self.hold.resource)

    @cached_property
    def proof(self) -> Proof | None:
        """The last entry about this hold, checked now; None until one is in the log."""
        last = Entry.objects.filter(subject_id=str(self.hold.id)).order_by("-index").first()
        return Prover().proof(last) if last else None

    @cached_property
    def story(self) -> list[Step]:
        """What happened to it, in order."""
        return story(self.hold, self.action, self.glass)

    @cached_property
    def action(self) -> Action | None:
        """The action, with its outcome once it has one."""
        return Action.objects.filter(id=self.hold.action_id).first()

    @property
    def unfinished(self) -> bool:
        """Whether it was let through and its outcome is still to come: the page looks again."""
        under_way = {Action.Status.HELD, Action.Status.RELEASED, Action.Status.PENDING}
        return self.hold.status == Hold.Status.RELEASED and (self.action is None or self.action.status in under_way)

    @cached_property
    def before(self) -> list[Action]:
        """What this agent did just before, oldest first."""
        return list(queries.just_before(self.hold))[::-1]

    @cached_property
    def alike(self) -> list[Hold]:
        """What people decided on the same shape before."""
        return list(queries.same_shape_before(self.hold))

    @cached_property
    def standings(self) -> list[Standing]:
        """Everybody who could be asked, with why not."""
        return list(queries.reviewers_for(self.hold, self.row.bench))

    @cached_property
    def colleagues(self) -> list[User]:
        """Others who may review it and have not."""
        standing = (review for review in self.hold.reviews.all() if review.retracted_at is None)
        decided = {review.reviewer_id for review in standing} | {self.reader.id}
        return [one.user for one in self.standings if one.eligible and one.user.id not in decided]

    @property
    def may(self) -> list[str]:
        """Some of them, by name."""
        return [presentation.there(one, self.now) for one in self.colleagues[:_MOST_NAMES]]

    @property
    def may_not(self) -> list[Standing]:
        """Those who may not, each with the reason."""
        return [one for one in self.standings if not one.eligible]

    @property
    def denial(self) -> Review | None:
        """The review that denied it."""
        return next((review for review in self.hold.reviews.all() if review.verdict == Review.Verdict.DENY), None)

    @property
    def verdict(self) -> str:
        """What became of it, in one sentence."""
        return verdict(self.hold, self.approved, self.denial, self.action, self.glass)


def case(hold_id: UUID, reader: User) -> Case:
    """The hold for `reader`. Raises Http404 for one that they may not see."""
    hold = one_with_relations(hold_id, reader)
    if hold is None:
        raise Http404
    return Case(rows([hold], reader)[0], reader)


@dataclass(frozen=True)
class Together:
    """Holds that ask alike, as `reader` may decide them at once; the first of them stands for all."""

    rows: list[Row]
    reader: User

    @property
    def first(self) -> Case:
        """What is the same of all of them is read off this one: one that still waits, if there is any."""
        return next((one for one in self.cases if one.can_decide), self.cases[0])

    @cached_property
    def cases(self) -> list[Case]:
        """Each by itself."""
        return [Case(row, self.reader) for row in self.rows]

    @property
    def open(self) -> int:
        """How many of them this reader can approve now."""
        return sum(row.needs_reader for row in self.rows)

    @property
    def arms(self) -> bool:
        """Whether approving takes a second to arm: what is true of one is true of all at once."""
        return any(one.arms for one in self.cases)
