"""Erasing a person: their name and e-mail address go from the account, and what opens their name in the ledger with them.

Two administrators do it (`accounts.role_actions`), to an account that is closed. What they did stays on record, by an
identifier that no longer leads to anybody.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.dispatch import Signal

from accounts.actors import actor_of
from accounts.models import User
from ledger import personal
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

NAME = "Erased person"

erased = Signal()  # in the same transaction, with `user`: apps that this one does not know forget a name they keep


def erase(user: User, actor: User | Actor) -> None:
    """Do it, in the caller's transaction, to a locked `user`. Raises AlreadySettled where it was done."""
    personal.destroy_key(str(user.id))
    user.name, user.username, user.email = NAME, f"erased-{user.id.hex}", ""
    user.first_name = user.last_name = ""
    user.roles, user.last_login = [], None
    user.session_epoch += 1
    user.set_unusable_password()
    user.save()
    user.api_tokens.all().delete()
    user.invitations.all().delete()
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    erased.send(User, user=user)
    subject = Subject(kind="person", id=str(user.id), name="")
    record(Event.PERSON_ERASED, actor=actor_of(actor), subject=subject)
