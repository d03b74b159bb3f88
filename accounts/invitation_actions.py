"""The way into an account: a link that sets its password, once, and ends.

Whoever makes a link could use it, so a new one for an account that had a password counts as a new start: what let
somebody in before has ended, and its memberships do not count for what was asked before.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.actors import actor_of, require_role, subject_of
from accounts.group_actions import begin_anew
from accounts.locking import in_order
from accounts.models import Invitation, Role, User
from accounts.passkeys import passkeys_of, remove_all
from accounts.passwords import set_password
from accounts.role_actions import refuse_own
from accounts.token_actions import digest
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

LIFE: Final = timedelta(hours=72)
SPENT: Final = "This invitation was used, replaced, or has expired."


def issue(user: User, *, actor: User | Actor) -> tuple[Invitation, str]:
    """A new invitation, to be mailed too, and the secret of its link, which is shown this once.

    Raises Refused for one's own or when not an administrator, and Invalid for a closed account.
    """
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody invites themselves.")
        if not user.is_active:
            raise Invalid("person", f"The account of {user} is closed.", "Reactivate it first.")
        renewed = user.has_usable_password()
        if renewed:
            _end_access(user, actor)
        user.invitations.filter(used_at=None).delete()
        invitation = _new(user, actor, secret, db_now())
        details = {"expires_at": invitation.expires_at.isoformat(), "renewed": renewed}
        record(Event.INVITATION_ISSUED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return invitation, secret


def find(secret: str) -> Invitation:
    """The open invitation whose link holds `secret`. Raises NotFound."""
    return _find(secret, lock=False)


def accept(secret: str, password: str, *, source: str | None = None) -> User:
    """Set the password of whoever was invited; the invitation is used up. Raises NotFound, and Invalid for a weak one."""
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(id=find(secret).user_id)
        invitation = _find(secret, lock=True)
        set_password(user, password)
        user.session_epoch += 1
        user.save(update_fields=["password", "session_epoch"])
        invitation.used_at, invitation.mail_due_at = db_now(), None
        invitation.save(update_fields=["used_at", "mail_due_at"])
        record(Event.PERSON_JOINED, actor=actor_of(user), subject=subject_of(user), source=source)
    return user


def fresh_mail_secret(invitation: Invitation) -> str:
    """The secret of the link that is about to be mailed; an earlier mail's link ends. In a transaction."""
    secret = secrets.token_urlsafe(32)
    invitation.mail_digest = digest(secret)
    invitation.save(update_fields=["mail_digest"])
    return secret


def _find(secret: str, *, lock: bool) -> Invitation:
    rows = Invitation.objects.select_related("user")
    rows = rows.select_for_update(of=("self",)) if lock else rows
    given = digest(secret)
    found = rows.filter(Q(digest=given) | Q(mail_digest=given), used_at=None, user__is_active=True).first()
    if found is None or found.expires_at <= db_now():
        raise NotFound(SPENT, "Ask an administrator for another.")
    return found


def _new(user: User, actor: User | Actor, secret: str, now: datetime) -> Invitation:
    made_by = actor if isinstance(actor, User) else None
    return Invitation.objects.create(
        user=user, digest=digest(secret), made_by=made_by, made_at=now, expires_at=now + LIFE,
        mail_due_at=now if user.email else None,
    )  # fmt: skip


def _end_access(user: User, actor: User | Actor) -> None:
    """End what let somebody in: password, second factors, sessions, tokens; memberships begin anew. Raises Refused.

    Passkeys sign decisions: one administrator alone does not put others in their place.
    """
    if isinstance(actor, User) and passkeys_of(user):
        raise Refused(
            f"{user} has passkeys, which one administrator does not end.",
            "Ask for their recovery first: a second administrator confirms it.",
            code="has_passkeys",
        )
    user.set_unusable_password()
    user.session_epoch += 1
    user.save(update_fields=["password", "session_epoch"])
    remove_all(user, actor)
    user.api_tokens.all().delete()
    begin_anew(user, actor=actor)
