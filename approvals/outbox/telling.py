"""Puts into the outbox what webhooks are to hear of the entries that were read, in the transaction that moves the cursor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from uuid import UUID

from agents.models import Agent, Resource
from approvals.models import Grant, Hold
from approvals.outbox.actions import until
from approvals.outbox.links import entry_link
from approvals.outbox.models import Delivery, Webhook
from approvals.outbox.retrying import Channel
from approvals.outbox.saying import EVENTS, Concern, Named, Written, message
from core.db import db_now
from ledger.models import Entry

NOBODYS = Concern()
BY_AGENT = " by "
"""Holds, grants and incidents are called what they are, by whom: the agent's name comes last, and has no space in it."""


def heard_of() -> frozenset[str]:
    """The events that some active webhook hears of."""
    active = Webhook.objects.filter(status=Webhook.Status.ACTIVE, removed_at=None)
    return frozenset(event for events in active.values_list("events", flat=True) for event in events)


def tell_webhooks(entries: Collection[Entry]) -> int:
    """Write what each active webhook is to hear of `entries`; what was written already is left alone. In a transaction."""
    hooks = list(Webhook.objects.filter(status=Webhook.Status.ACTIVE, removed_at=None))
    heard = {event for hook in hooks for event in hook.events}
    told = [entry for entry in entries if entry.event in heard and entry.recorded and entry.uid]
    concerns = _concerns(told)
    now = db_now()
    rows = []
    for entry in told:
        concern, body = concerns.get(entry.index, NOBODYS), ""
        for hook in hooks:
            if entry.event in hook.events and concern.is_for(frozenset(hook.agents), frozenset(hook.resources)):
                body = body or message(_written(entry), concern, _link(entry))
                rows.append(
                    Delivery(
                        channel=Channel.WEBHOOK, webhook=hook, event=entry.event, entry_uid=entry.uid, body=body,
                        due_at=now, until=until(Channel.WEBHOOK, now),
                    )
                )  # fmt: skip
    Delivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    return len(rows)


def _written(entry: Entry) -> Written:
    """What of it may leave. Raises ValueError for one that does not say which it is and when."""
    if entry.uid is None or entry.recorded is None:
        raise ValueError("It does not say which it is and when it was recorded.")
    return Written(entry.index, entry.uid, EVENTS[entry.event], entry.recorded, entry.subject_kind, entry.subject_id)


def _link(entry: Entry) -> str:
    return entry_link(entry.index, entry.subject_kind, entry.subject_id)


def _concerns(entries: Iterable[Entry]) -> Mapping[int, Concern]:
    """Which agent and resource each entry is about, by its index; four queries however many there are."""
    found = list(entries)
    names = {name for one in found if (name := _agent_name(one))}
    agents = {name: Named(key, name) for key, name in Agent.objects.filter(name__in=names).values_list("id", "name")}
    places = _places(found)
    resources = _resources(found, places)
    return {
        one.index: Concern(agents.get(_agent_name(one)), resources.get(places.get(one.subject_id, one.subject_id)))
        for one in found
    }


def _agent_name(entry: Entry) -> str:
    if entry.subject_kind == "agent":
        return entry.subject_name
    if entry.subject_kind in {"hold", "grant", "incident"}:
        return entry.subject_name.rpartition(BY_AGENT)[2]
    return ""


def _places(entries: Iterable[Entry]) -> dict[str, str]:
    """The resource's identifier of each hold and grant."""
    kept = {"hold": Hold, "grant": Grant}
    found: dict[str, str] = {}
    for kind, model in kept.items():
        ids = {one.subject_id for one in entries if one.subject_kind == kind}
        if ids:
            pairs = model.objects.filter(id__in=ids).values_list("id", "resource_id")  # type: ignore[attr-defined]  # either
            found |= {str(key): str(resource) for key, resource in pairs}
    return found


def _resources(entries: Iterable[Entry], places: Mapping[str, str]) -> dict[str, Named]:
    ids = {*places.values(), *(one.subject_id for one in entries if one.subject_kind == "resource")}
    wanted = set()
    for one in ids:
        with suppress(ValueError):
            wanted.add(UUID(one))
    rows = Resource.objects.filter(id__in=wanted).values_list("id", "name") if wanted else ()
    return {str(key): Named(key, name) for key, name in rows}
