"""Changing the password of a resource's login, by itself or when a person asks: in two steps, so that nothing breaks in between.

1. A new password is made and sealed beside the one in use. From then on a gateway that is refused with one tries the other.
2. Once every sign-in that began before has ended, the role's password is changed at the resource, tried, and takes the other's place.

Whoever is killed between the two finds both passwords in the vault: the one that opens the door is the one. The resource is told a
SCRAM verifier, never the password.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, QuerySet, Value
from psycopg import sql

from accounts.actors import SYSTEM, actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject
from agents.connection_test import Stopped, connected
from agents.models import Resource, ResourceSecret
from agents.resource_checks import place_of
from agents.revision import bump_revision
from agents.vault import Login, opened, sealed_login
from agents.vault_keys import about_to_seal
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.events import Event
from ledger.write import record

SIGN_INS_END: Final = timedelta(seconds=15)
"""A sign-in takes a gateway 10 seconds at most: those that know of one password only are over by then."""
AGAIN_AFTER: Final = timedelta(minutes=10)
LONGEST: Final = 365
AT_ONCE: Final = 50
_WRONG: Final = "wrong_password"


def schedule(resource_id: UUID, *, use: str, days: int | None, actor: User) -> ResourceSecret:
    """Have a login's password changed every `days` days from its last change, or no more (None). Raises Refused, NotFound, Invalid."""
    require_role(actor, Role.ENGINEER)
    if days is not None and not 1 <= days <= LONGEST:
        raise Invalid(
            "days", f"A password is changed every 1 to {LONGEST} days.", "Or never by itself: leave it empty."
        )
    with transaction.atomic():
        secret = _held(resource_id, use)
        if secret.rotate_days != days:
            details = {"use": use, "login": secret.login, "before": secret.rotate_days, "after": days}
            secret.rotate_days = days
            secret.save(update_fields=["rotate_days"])
            record(
                Event.SECRET_SCHEDULED,
                actor=actor_of(actor),
                subject=resource_subject(secret.resource),
                details=details,
            )
    return secret


def ask(resource_id: UUID, *, use: str, actor: User) -> ResourceSecret:
    """Have a login's password changed within a minute. Raises Refused (the role; code `cannot_rotate` where it is no PostgreSQL) and NotFound."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        about_to_seal()
        secret = _held(resource_id, use)
        _prepare(secret)
    return secret


def turn(now: datetime) -> int:
    """Do what is due at `now`: make new passwords, and put into force those that were made before. Gives how much that was."""
    due = list(_due(now).values_list("id", flat=True)[:AT_ONCE])
    for secret_id in due:
        with transaction.atomic():
            about_to_seal()
            _prepare(
                ResourceSecret.objects.select_for_update(of=("self",)).select_related("resource").get(id=secret_id)
            )
    made = list(_made(now).values_list("id", flat=True)[:AT_ONCE])
    for secret_id in made:
        finish(secret_id)
    return len(due) + len(made)


def finish(secret_id: UUID) -> bool:
    """Put the password that was made for a login into force, or find that it is in force already; whether it is.

    Holds the row: a second worker waits, and then finds nothing to do.
    """
    with transaction.atomic():
        held = ResourceSecret.objects.select_for_update(of=("self",)).select_related("resource__segment")
        secret = held.filter(id=secret_id, pending__isnull=False, resource__retired_at=None).first()
        if secret is None or secret.pending is None:
            return False
        now, after = (opened(secret.resource, secret.use, bytes(sealed)) for sealed in (secret.sealed, secret.pending))
        problem = _put_into_force(secret.resource, now, after)
        if problem:
            _note_problem(secret, problem)
        else:
            _promote(secret)
    return not problem


def _put_into_force(resource: Resource, now: Login, after: Login) -> str:
    """Change the password at the resource unless that was done already; what went wrong, in words, or nothing."""
    try:
        with connected(place_of(resource), now) as connection:
            _alter(connection, after)
    except Stopped as stopped:
        if stopped.said.code != _WRONG:
            return f"{stopped.said.says} {stopped.said.remedy}".strip()
    except psycopg.Error as error:
        return f"The resource did not let {now.user} change its own password ({error.sqlstate or 'no reason given'})."
    try:
        with connected(place_of(resource), after):
            return ""
    except Stopped as stopped:
        return f"{stopped.said.says} {stopped.said.remedy}".strip()


def _alter(connection: psycopg.Connection[tuple[object, ...]], after: Login) -> None:
    verifier = connection.pgconn.encrypt_password(after.password.encode(), after.user.encode(), b"scram-sha-256")
    connection.execute("SET default_transaction_read_only = off")
    connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(sql.Literal(verifier.decode())))


def _prepare(secret: ResourceSecret) -> None:
    """Make a new password beside the one in use, unless there is one already."""
    if secret.pending is None:
        login = Login(secret.login, secrets.token_urlsafe(32))
        secret.pending, secret.problem = sealed_login(secret.resource, secret.use, login), ""
        secret.pending_at = db_now()
        secret.save(update_fields=["pending", "pending_at", "problem"])


def _promote(secret: ResourceSecret) -> None:
    secret.sealed, secret.pending, secret.pending_at = secret.pending or b"", None, None
    secret.stored_at, secret.problem = db_now(), ""
    secret.save(update_fields=["sealed", "pending", "pending_at", "stored_at", "problem"])
    details = {"use": secret.use, "login": secret.login}
    record(Event.SECRET_ROTATED, actor=SYSTEM, subject=resource_subject(secret.resource), details=details)
    bump_revision()


def _note_problem(secret: ResourceSecret, problem: str) -> None:
    """Keep why it did not come about; an entry the first time. It is tried again."""
    fresh = secret.problem != problem[:300]
    secret.problem, secret.pending_at = problem[:300], db_now()
    secret.save(update_fields=["problem", "pending_at"])
    if fresh:
        details = {"use": secret.use, "for": "rotation", "outcome": "failed"}
        record(Event.SECRET_USED, actor=SYSTEM, subject=resource_subject(secret.resource), details=details)


def _due(now: datetime) -> QuerySet[ResourceSecret]:
    live = ResourceSecret.objects.filter(resource__retired_at=None, pending=None, rotate_days__isnull=False)
    age = ExpressionWrapper(F("rotate_days") * Value(timedelta(days=1)), output_field=DurationField())
    return live.filter(stored_at__lte=Value(now, output_field=DateTimeField()) - age)


def _made(now: datetime) -> QuerySet[ResourceSecret]:
    made = ResourceSecret.objects.filter(resource__retired_at=None, pending__isnull=False)
    first = made.filter(problem="", pending_at__lte=now - SIGN_INS_END)
    return first | made.exclude(problem="").filter(pending_at__lte=now - AGAIN_AFTER)


def _held(resource_id: UUID, use: str) -> ResourceSecret:
    held = ResourceSecret.objects.select_for_update(of=("self",)).select_related("resource")
    secret = held.filter(resource_id=resource_id, use=use, resource__retired_at=None).first()
    if secret is None:
        raise NotFound("The vault holds no such login.", "Store one.")
    if secret.resource.kind != Resource.Kind.POSTGRES:
        raise Refused("Only PostgreSQL lets a login change its own password.", "Store a new one.", code="cannot_rotate")
    return secret
