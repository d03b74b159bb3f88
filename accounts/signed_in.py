"""Who is signed in, by the keys of sessions: asked afresh, in two queries however many there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User
from core.ids import identifiers


def signed_in(keys: Collection[str]) -> dict[str, User]:
    """The person of each session that is somebody's still: signed out, password changed or account closed, it is nobody's."""
    rows = Session.objects.filter(session_key__in=[key for key in keys if key], expire_date__gt=timezone.now())
    store = SessionStore()
    said = {row.session_key: store.decode(row.session_data) for row in rows}
    wanted = {key: _identifier(one) for key, one in said.items()}
    people = User.objects.filter(is_active=True).in_bulk([one for one in wanted.values() if one])
    found = {key: people[one] for key, one in wanted.items() if one in people}
    return {key: person for key, person in found.items() if _proves(said[key], person)}


def _identifier(said: dict[str, Any]) -> UUID | None:
    """Whom a session says that it is of, if a way to sign in that is still open says so."""
    if said.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return next(iter(identifiers([str(said.get(SESSION_KEY))])), None)


def _proves(said: dict[str, Any], person: User) -> bool:
    """Whether a session carries what only a session of `person` does, by the secret key of now or an earlier one."""
    given = str(said.get(HASH_SESSION_KEY) or "")
    proofs = (person.get_session_auth_hash(), *person.get_session_auth_fallback_hash())
    return any(constant_time_compare(given, proof) for proof in proofs)
