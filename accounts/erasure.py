"""Erasing a person: name and e-mail address go from the account, and with them what opens their name and reasons in the ledger.

Two administrators do it (`accounts.role_actions`), to an account that is closed. What they did stays on record, by an
identifier that no longer leads to anybody.
"""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.dispatch import Signal

from accounts.actors import actor_of
from accounts.models import User
from accounts.passkeys import remove_all
from ledger import personal
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

NAME = "Erased person"

WORDS = "Erased with the person who wrote it."

erased = Signal()
"""In the same transaction, with `user`, the `actor` and `texts`, all that entries committed to of them: apps that this one does not
know forget the names and words they keep.
"""


def erase(user: User, actor: User | Actor) -> None:
    """Do it, in the caller's transaction, to a locked `user`. Raises AlreadySettled where it was done."""
    texts = personal.texts_of(str(user.id))
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
    remove_all(user, actor)
    erased.send(User, user=user, texts=texts, actor=actor)
    subject = Subject(kind="person", id=str(user.id), name="")
    record(Event.PERSON_ERASED, actor=actor_of(actor), subject=subject)
