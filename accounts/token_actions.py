"""A person's tokens for the API: made, ended. Each leaves its entry in the same transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, subject_of
from accounts.models import ApiToken, User
from accounts.scopes import SCOPES
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

TOKEN_PREFIX = "ngp_"  # noqa: S105 -- the recognisable start of every token, not a token
LONGEST_TOKEN_LIFE = timedelta(days=90)


def create_api_token(
    user: User, *, name: str, scopes: Iterable[str], lifetime: timedelta, actor: User | Actor
) -> tuple[ApiToken, str]:
    """A token for the REST API and its secret, which is shown this once. Raises Refused and Invalid."""
    if isinstance(actor, User) and actor.id != user.id:
        raise Refused("A person makes their own tokens, nobody else's.", code="not_yours")
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= SCOPES:
        raise Invalid("scopes", "A token needs scopes from the list.", f"Choose from {', '.join(sorted(SCOPES))}.")
    if not timedelta(0) < lifetime <= LONGEST_TOKEN_LIFE:
        raise Invalid("lifetime", "A token lives at most 90 days.", "Make a new one when it ends.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name, digest=digest(secret), scopes=wanted, expires_at=db_now() + lifetime
        )
        details = {"token": str(token.id), "scopes": wanted, "expires_at": token.expires_at.isoformat()}
        record(Event.API_TOKEN_CREATED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return token, secret


def revoke_api_token(token_id: UUID, *, actor: User) -> None:
    """End a token of `actor`'s own, from the next request on. Raises NotFound."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().filter(id=token_id, user=actor).first()
        if token is None:
            raise NotFound("You have no such token.", "It may have been ended already.")
        token.delete()
        details = {"token": str(token_id), "scopes": token.scopes}
        record(Event.API_TOKEN_REVOKED, actor=actor_of(actor), subject=subject_of(actor), details=details)


def digest(secret: str) -> str:
    """The form in which a secret is kept. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()
