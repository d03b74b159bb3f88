"""Breaking the glass: where policy lets it, one person releases at once, with a reason and a passkey; two others look at it within a day.

Nobody who is excluded from a hold breaks its glass. The review afterwards changes nothing about the action, which has run: it is chased
until two have looked, and what they found is in the record.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.actors import SYSTEM, actor_of
from accounts.models import Role, User
from approvals import actions, signing
from approvals.eligibility import exclusions, glass_standing
from approvals.holding import locked, noted, seen_by
from approvals.live import hold_changed
from approvals.models import AfterReview, BrokenGlass, Hold
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, Refused
from ledger.events import Event

WITHIN: Final = timedelta(hours=24)
"""How long the reviews afterwards may take, and how often they are asked for after that."""
LOOKERS: Final = 2
"""How many others look at it."""
MAY_LOOK: Final = (Role.REVIEWER, Role.CISO)
LONGEST: Final = 1_000


def break_glass(hold_id: UUID, *, actor: User, seen: str, reason: str, passkey: str) -> Hold:
    """Let the action whose digest is `seen` through on `actor`'s word alone. Raises as `actions.approve` does, and Refused (`no_breakglass`)."""
    _require_words("reason", reason, "Say what the emergency is: everybody is told, and two others will look at it.")
    with transaction.atomic():
        hold, person = actions.to_decide(hold_id, actor, seen)
        if not hold.breakglass:
            raise Refused("Policy lets nobody break the glass here.", "It takes its approvals.", code="no_breakglass")
        stands = glass_standing(person, hold)
        if not stands.eligible:
            raise NotEligible(stands.because, "Somebody else has to decide.")
        signed = signing.signed(person, signing.BREAK, [(str(hold.id), seen)], passkey)
        now = db_now()
        BrokenGlass.objects.create(hold=hold, by=person, reason=reason.strip(), at=now, due_at=now + WITHIN)
        noted(Event.GLASS_BROKEN, hold, actor_of(person), details={"reason": reason.strip(), "passkey": signed})
        actions.settle(hold, Hold.Status.APPROVED, f"{person} broke the glass.")
        after_commit(hold_changed, hold.id)
    return hold


def look_at(hold_id: UUID, *, actor: User, found: str) -> BrokenGlass:
    """Say, as one of two others, what came of looking at it afterwards. Raises NotFound, AlreadySettled, NotEligible and Invalid."""
    _require_words("found", found, "One sentence: whether it was right, and what follows.")
    with transaction.atomic():
        hold, person = seen_by(hold_id, actor)
        glass = BrokenGlass.objects.select_for_update(of=("self",)).select_related("by").filter(hold=hold).first()
        if glass is None:
            raise NotEligible("Nobody broke the glass here.", "There is nothing to look at.")
        if glass.done_at is not None:
            raise AlreadySettled("Two others have looked at it already.", "Nothing is left to do.")
        why_not = cannot_look(person, glass, hold)
        if why_not:
            raise NotEligible(why_not, "Somebody else has to look at it.")
        AfterReview.objects.create(glass=glass, reviewer=person, found=found.strip(), at=db_now())
        noted(Event.GLASS_REVIEWED, hold, actor_of(person), details={"found": found.strip()})
        if glass.looks.count() >= LOOKERS:
            glass.done_at = db_now()
            glass.save(update_fields=["done_at"])
        after_commit(hold_changed, hold.id)
    return glass


def cannot_look(user: User, glass: BrokenGlass, hold: Hold) -> str:
    """Why `user` cannot be one of the two; empty where they can."""
    if not user.has_role(*MAY_LOOK):
        return "Reviewers and the CISO look at it."
    if user.person == glass.by.person:
        return "Nobody looks at what they did themselves."
    involved = {one["person"] for one in [*exclusions(hold.agent, hold.on_behalf_of), *hold.excluded]}
    if str(user.person) in involved:
        return "You answer for this agent."
    if any(one.reviewer.person == user.person for one in glass.looks.select_related("reviewer")):
        return "You have looked at it."
    return ""


def chase() -> int:
    """Say of every broken glass that too few have looked at in time that it is overdue, once a day; gives how many."""
    with transaction.atomic():
        now = db_now()
        due = Q(due_at__lte=now) & (Q(chased_at=None) | Q(chased_at__lte=now - WITHIN))
        late = BrokenGlass.objects.select_for_update(of=("self",), skip_locked=True).filter(due, done_at=None)
        found = list(late.order_by("due_at")[:500])
        for glass in found:
            glass.chased_at = now
            glass.save(update_fields=["chased_at"])
            noted(Event.GLASS_OVERDUE, locked(glass.hold_id), SYSTEM, details={"due": glass.due_at.isoformat()})
    return len(found)


def _require_words(field: str, text: str, remedy: str) -> None:
    if not text.strip():
        raise Invalid(field, "Breaking the glass is never without words.", remedy)
    if len(text) > LONGEST:
        raise Invalid(field, f"At most {LONGEST} characters.", "Shorten it.")
