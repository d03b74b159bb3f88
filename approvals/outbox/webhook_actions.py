"""Every change to webhooks: added, changed, paused, let go on, its secret, tried, removed; and stopped by itself. Each leaves its entry."""

from __future__ import annotations

import secrets
import ssl
from datetime import timedelta
from typing import Final, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actors import SYSTEM, actor_of, require_role
from accounts.models import Role, User
from agents.differences import changed
from agents.models import Agent, Resource
from approvals.outbox import standard
from approvals.outbox.actions import drop, until
from approvals.outbox.addresses import address_of
from approvals.outbox.links import webhook_link
from approvals.outbox.models import TEST, Delivery, Webhook
from approvals.outbox.posting import Answered
from approvals.outbox.retrying import Channel
from approvals.outbox.saying import EVENTS, test_message
from approvals.outbox.sealed import about_to_seal, sealed
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

MOST: Final = 50
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before signs too, after it was changed."""
FAILS_FOR: Final = timedelta(hours=24)
"""How long nothing may arrive before a webhook is stopped by itself."""
NAME_TAKEN: Final = "There is already a webhook of this name."


class About(TypedDict, total=False):
    """What of a webhook may be changed."""

    name: str
    url: str
    tls_ca: str
    events: list[str]
    agents: list[UUID]
    resources: list[UUID]


def add(*, actor: User, **about: Unpack[About]) -> tuple[Webhook, str]:
    """Tell another system of entries from now on; gives the webhook and its secret, which is shown this once.

    Raises RoleRequired, Invalid about the field, Refused (code `too_many`).
    """
    require_role(actor, Role.ADMINISTRATOR)
    _require_usable({"name": "", "url": "", "events": [], **about})
    secret = secrets.token_bytes(standard.SECRET_SIZE)
    try:
        with transaction.atomic():
            about_to_seal()
            if Webhook.objects.filter(removed_at=None).count() >= MOST:
                raise Refused(f"There are {MOST} webhooks.", "Remove one that nobody needs.", code="too_many")
            hook = Webhook(made_by=actor, **{name: _as_said(value) for name, value in about.items()})
            hook.sealed = sealed(hook.id, secret)
            hook.save()
            details = {"url": hook.url, "events": hook.events, **_narrowed(hook)}
            record(Event.WEBHOOK_ADDED, actor=actor_of(actor), subject=subject_of(hook), details=details)
    except IntegrityError:
        raise Invalid("name", NAME_TAKEN, "Choose another.") from None
    return hook, standard.written(secret)


def change(webhook_id: UUID, *, actor: User, **about: Unpack[About]) -> Webhook:
    """Change what it hears of and where. Raises RoleRequired, NotFound, Invalid about the field."""
    require_role(actor, Role.ADMINISTRATOR)
    _require_usable(about)
    try:
        with transaction.atomic():
            hook = _locked(webhook_id)
            difference = changed(hook, {name: _as_said(value) for name, value in about.items()})
            if difference:
                hook.save(update_fields=list(difference))
                details = {"changed": difference}
                record(Event.WEBHOOK_CHANGED, actor=actor_of(actor), subject=subject_of(hook), details=details)
    except IntegrityError:
        raise Invalid("name", NAME_TAKEN, "Choose another.") from None
    return hook


def pause(webhook_id: UUID, *, actor: User) -> Webhook:
    """Tell it nothing until it goes on: what happens meanwhile it never hears of. Raises RoleRequired, NotFound, AlreadySettled."""
    return _turn(webhook_id, Webhook.Status.PAUSED, Event.WEBHOOK_PAUSED, actor)


def resume(webhook_id: UUID, *, actor: User) -> Webhook:
    """Tell it again, whoever or whatever stopped it. Raises RoleRequired, NotFound, AlreadySettled."""
    return _turn(webhook_id, Webhook.Status.ACTIVE, Event.WEBHOOK_RESUMED, actor)


def renew_secret(webhook_id: UUID, *, actor: User) -> str:
    """Sign by a new secret from now on, and for OVERLAP by the one before too; gives it, this once. Raises RoleRequired, NotFound."""
    require_role(actor, Role.ADMINISTRATOR)
    secret = secrets.token_bytes(standard.SECRET_SIZE)
    with transaction.atomic():
        about_to_seal()
        hook = _locked(webhook_id)
        hook.sealed_before, hook.before_until = hook.sealed, db_now() + OVERLAP
        hook.sealed = sealed(hook.id, secret)
        hook.save(update_fields=["sealed", "sealed_before", "before_until"])
        details = {"before_until": hook.before_until.isoformat()}
        record(Event.WEBHOOK_SECRET_CHANGED, actor=actor_of(actor), subject=subject_of(hook), details=details)
    return standard.written(secret)


def try_out(webhook_id: UUID, *, actor: User) -> Delivery:
    """Send it a message that says it is a try, paused or not. Raises RoleRequired, NotFound."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        hook, now = _locked(webhook_id), db_now()
        delivery = Delivery.objects.create(
            channel=Channel.WEBHOOK, webhook=hook, event=TEST, due_at=now, until=until(Channel.WEBHOOK, now),
            body=test_message(hook.name, now, webhook_link(hook.id)),
        )  # fmt: skip
        details = {"delivery": str(delivery.id)}
        record(Event.WEBHOOK_TRIED, actor=actor_of(actor), subject=subject_of(hook), details=details)
    return delivery


def remove(webhook_id: UUID, *, actor: User) -> Webhook:
    """End it: its secret is destroyed, what waits for it is not sent. Raises RoleRequired, NotFound."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        hook = _locked(webhook_id)
        hook.removed_at, hook.sealed, hook.sealed_before, hook.before_until = db_now(), b"", None, None
        hook.save(update_fields=["removed_at", "sealed", "sealed_before", "before_until"])
        drop(hook.deliveries.all())
        record(Event.WEBHOOK_REMOVED, actor=actor_of(actor), subject=subject_of(hook))
    return hook


def note(webhook_id: UUID, answered: Answered) -> None:
    """Write down whether a message arrived; stop the webhook where none did for FAILS_FOR, or its receiver says that it is gone."""
    with transaction.atomic():
        hook = Webhook.objects.select_for_update().get(id=webhook_id)
        if answered.arrived:
            if hook.failing_since is not None:
                hook.failing_since = None
                hook.save(update_fields=["failing_since"])
            return
        now = db_now()
        hook.failing_since = hook.failing_since or now
        hook.save(update_fields=["failing_since"])
        if answered.gone or now - hook.failing_since >= FAILS_FOR:
            _stop(hook, answered)


def subject_of(hook: Webhook) -> Subject:
    """A webhook as the ledger names it."""
    return Subject(kind="webhook", id=str(hook.id), name=hook.name)


def _stop(hook: Webhook, answered: Answered) -> None:
    if hook.status != Webhook.Status.ACTIVE or hook.removed_at:
        return
    hook.status = Webhook.Status.STOPPED
    hook.save(update_fields=["status"])
    drop(hook.deliveries.all(), "Its webhook was stopped.")
    details = {"gone": answered.gone, "since": (hook.failing_since or timezone.now()).isoformat()}
    record(Event.WEBHOOK_STOPPED, actor=SYSTEM, subject=subject_of(hook), details=details)


def _turn(webhook_id: UUID, status: Webhook.Status, event: Event, actor: User | Actor) -> Webhook:
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        hook = _locked(webhook_id)
        if hook.status == status:
            raise AlreadySettled(f"{hook.name} is {hook.get_status_display().lower()} already.")
        hook.status, hook.failing_since = status, None
        hook.save(update_fields=["status", "failing_since"])
        if status == Webhook.Status.PAUSED:
            drop(hook.deliveries.all(), "Its webhook was paused.")
        record(event, actor=actor_of(actor), subject=subject_of(hook))
    return hook


def _locked(webhook_id: UUID) -> Webhook:
    found = Webhook.objects.select_for_update().filter(id=webhook_id, removed_at=None).first()
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def _require_usable(about: About) -> None:
    """Raise Invalid for what cannot be used, of what is said."""
    if "name" in about and not (0 < len(about["name"]) <= 80 and about["name"].isprintable()):
        raise Invalid("name", "A webhook has a name of up to 80 characters.", "Say which system it is.")
    if "url" in about:
        address_of(about["url"])
    if "events" in about and (not about["events"] or set(about["events"]) - EVENTS.keys()):
        unknown = sorted(set(about["events"]) - EVENTS.keys())
        raise Invalid(
            "events", f"There is no event {unknown[0]}." if unknown else "It hears of nothing.", "Choose from the list."
        )
    if about.get("tls_ca"):
        _require_pem(about["tls_ca"])
    for field, model in (("agents", Agent), ("resources", Resource)):
        wanted = set(about.get(field, ()))  # type: ignore[call-overload]  # the two lists
        if wanted and model.objects.filter(id__in=wanted).count() != len(wanted):
            raise Invalid(field, f"There is no such {field[:-1]}.", "Choose from the list.")


def _require_pem(text: str) -> None:
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        raise Invalid("tls_ca", "The CA certificate is not PEM.", "Paste it whole, BEGIN and END included.") from None


def _as_said(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


def _narrowed(hook: Webhook) -> dict[str, object]:
    lists = {"agents": hook.agents, "resources": hook.resources}
    return {name: [str(one) for one in sorted(ids)] for name, ids in lists.items() if ids}
