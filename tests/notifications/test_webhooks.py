"""Webhooks: who may have one, what they are told, signed and tried again, and when one is stopped by itself."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from agents import vault_keys
from agents.ca import server_identity
from approvals import actions
from approvals.models import Hold
from approvals.notifications.models import Notification
from approvals.outbox import actions as outbox
from approvals.outbox import standard, webhook_actions, webhooks
from approvals.outbox.models import Delivery, Webhook
from approvals.tasks import forget_notifications, send_webhooks
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused, RoleRequired
from ledger.events import Event
from ledger.models import Entry
from tests.approvals.world import approve, held
from tests.cast import Cast
from tests.notifications.conftest import Telling
from tests.notifications.receiver import Receiver, receiving
from tests.notifications.webhooks import add_webhook, all_due, entries_of, signed_in_as


def test_a_message_is_signed_and_says_nothing_that_an_agent_wrote(telling: Telling, receiver: Receiver) -> None:
    _, secret = add_webhook(telling, receiver)
    hold = held(telling.world, text="DELETE FROM customers WHERE email = 'eve@example.com'")
    telling.read()
    assert (send_webhooks(), send_webhooks()) == (1, 0)
    ((path, headers, body),) = receiver.got
    said = json.loads(body)
    assert path == "/in"
    assert standard.verifies(headers, body, secret)
    assert headers["webhook-id"] == f"msg_{Delivery.objects.get(channel='webhook').id.hex}"
    assert abs(int(headers["webhook-timestamp"]) - db_now().timestamp()) < 60
    assert said["type"] == "hold.asked"
    assert said["data"]["subject"] == {"kind": "hold", "id": str(hold.id)}
    assert said["data"]["agent"]["name"] == "support.production"
    assert said["data"]["resource"]["name"] == "shop"
    assert said["data"]["link"] == f"{settings.CONSOLE_URL}/queue/{hold.id}/"
    assert b"eve" not in body
    assert b"customers" not in body


def test_it_hears_of_what_it_chose_alone(telling: Telling, receiver: Receiver) -> None:
    from tests.approvals.world import enrol

    other = enrol(telling.cast, telling.world.segment, "billing.production")
    add_webhook(telling, receiver, name="One agent", agents=[other.id])
    add_webhook(telling, receiver, name="One resource", resources=[telling.world.resource.id], events=["hold:settled"])
    approve(held(telling.world), telling.cast.reviewer)
    telling.read()
    rows = Delivery.objects.filter(channel="webhook").values_list("webhook__name", "event")
    assert list(rows) == [("One resource", "hold:settled")]


def test_an_entry_is_told_once_whatever_crashes(telling: Telling, receiver: Receiver) -> None:
    from approvals.outbox.telling import tell_webhooks

    add_webhook(telling, receiver)
    held(telling.world)
    telling.read()
    tell_webhooks(list(Entry.objects.filter(event="hold:asked")))
    assert Delivery.objects.filter(channel="webhook").count() == 1


def test_what_fails_is_tried_again_with_the_same_identifier_and_given_up(telling: Telling, receiver: Receiver) -> None:
    receiver.status = 503
    add_webhook(telling, receiver)
    held(telling.world)
    telling.read()
    for _ in range(7):
        assert send_webhooks() == 0
        all_due()
    one = Delivery.objects.get(channel="webhook")
    assert (one.status, one.answered, one.problem) == (Delivery.Status.GIVEN_UP, 503, "It answered 503.")
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 7
    receiver.status = 200
    outbox.resend(one.id, actor=telling.cast.administrator)
    assert send_webhooks() == 1
    telling.read()
    assert entries_of(Event.DELIVERY_RESENT) == ["delivery:resent"]


def test_a_sender_that_died_is_followed_by_another(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_webhook(telling, receiver)
    held(telling.world)
    telling.read()

    def dies(*said: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            send_webhooks()
    assert send_webhooks() == 0  # claimed still
    all_due()  # the lease is over
    assert send_webhooks() == 1
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_after_a_day_of_failures_it_is_stopped_and_administrators_are_told(
    telling: Telling, receiver: Receiver
) -> None:
    hook, _ = add_webhook(telling, receiver)
    receiver.status = 500
    held(telling.world)
    telling.read()
    send_webhooks()
    Webhook.objects.update(failing_since=db_now() - timedelta(hours=25))
    all_due()
    send_webhooks()
    hook.refresh_from_db()
    assert hook.status == Webhook.Status.STOPPED
    assert not Delivery.objects.filter(webhook=hook, status=Delivery.Status.WAITING).exists()
    telling.read()
    assert telling.who("webhook") == {"ada", "abel"}
    one = Notification.objects.filter(kind="webhook", person=telling.cast.administrator).get()
    answer = signed_in_as(telling.cast.administrator).get(reverse("notifications:open", args=[one.id]))
    assert answer.headers["Location"] == f"/webhooks/{hook.id}/"
    webhook_actions.resume(hook.id, actor=telling.cast.administrator)
    hook.refresh_from_db()
    assert (hook.status, hook.failing_since) == (Webhook.Status.ACTIVE, None)


def test_a_receiver_that_is_gone_stops_it_at_once_and_success_forgets_failures(
    telling: Telling, receiver: Receiver
) -> None:
    hook, _ = add_webhook(telling, receiver)
    for status, since, state in ((500, True, "active"), (200, False, "active"), (410, True, "stopped")):
        receiver.status = status
        webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
        send_webhooks()
        hook.refresh_from_db()
        assert (hook.failing_since is not None, hook.status) == (since, state)
        Delivery.objects.filter(status=Delivery.Status.WAITING).delete()


def test_one_that_fails_keeps_no_other_waiting(telling: Telling, receiver: Receiver) -> None:
    bad, _ = add_webhook(telling, receiver, name="Bad", url="http://localhost:1/")
    add_webhook(telling, receiver)
    for number in range(3):
        held(telling.world, text=f"DELETE {number}")
    telling.read()
    Webhook.objects.filter(id=bad.id).update(failing_since=db_now())
    assert send_webhooks() == 3
    assert Delivery.objects.filter(webhook=bad, tries__gt=0).count() == 1
    problem = Delivery.objects.filter(webhook=bad).exclude(problem="").get().problem
    assert problem == "localhost cannot be reached."


def test_no_redirect_is_followed(telling: Telling, receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, "http://169.254.169.254/"
    add_webhook(telling, receiver)
    held(telling.world)
    telling.read()
    send_webhooks()
    assert Delivery.objects.get(channel="webhook").problem == "It answered with a redirect, which is not followed."


def test_a_name_that_leads_to_a_private_address_is_not_sent_to(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved by what stands in for DNS here; the rest is the real way."""
    import asyncio

    async def resolve(*said: object, **more: object) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", receiver.port)), (2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    add_webhook(telling, receiver, url="https://hooks.example.com/")
    held(telling.world)
    telling.read()
    send_webhooks()
    one = Delivery.objects.get(channel="webhook")
    assert one.problem == "hooks.example.com leads to an address that nothing is sent to."
    assert not receiver.got


def test_tls_is_checked_by_the_webhooks_own_authority(telling: Telling, tmp_path: Path) -> None:
    identity = server_identity(tmp_path, "tests", ["localhost"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key, identity.passphrase)
    with receiving(tls) as receiver:
        url = f"https://localhost:{receiver.port}/"
        add_webhook(telling, receiver, url=url, tls_ca=identity.ca.read_text())
        add_webhook(telling, receiver, name="Trusts nobody here", url=url)
        held(telling.world)
        telling.read()
        assert send_webhooks() == 1
    lost = Delivery.objects.get(webhook__name="Trusts nobody here")
    assert lost.problem == "The server's certificate is signed by nobody this machine trusts."


def test_a_new_secret_and_the_one_before_sign_for_a_while(telling: Telling, receiver: Receiver) -> None:
    hook, before = add_webhook(telling, receiver)
    fresh = webhook_actions.renew_secret(hook.id, actor=telling.cast.administrator)
    assert fresh != before
    for after, signs in ((timedelta(0), True), (webhook_actions.OVERLAP, False)):
        Webhook.objects.update(before_until=db_now() + webhook_actions.OVERLAP - after)
        webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
        send_webhooks()
        _, headers, body = receiver.got[-1]
        assert standard.verifies(headers, body, fresh)
        assert standard.verifies(headers, body, before) is signs


def test_secrets_follow_the_vaults_key_and_are_nowhere_in_the_open(telling: Telling, receiver: Receiver) -> None:
    hook, secret = add_webhook(telling, receiver)
    for _ in range(2):
        vault_keys.rotate()
    webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
    assert send_webhooks() == 1
    _, headers, body = receiver.got[-1]
    assert standard.verifies(headers, body, secret)
    hook.refresh_from_db()
    assert secret.removeprefix("whsec_").encode() not in bytes(hook.sealed)


def test_pausing_and_removing(telling: Telling, receiver: Receiver) -> None:
    hook, _ = add_webhook(telling, receiver)
    ada = telling.cast.administrator
    held(telling.world)
    telling.read()
    webhook_actions.pause(hook.id, actor=ada)
    with pytest.raises(AlreadySettled):
        webhook_actions.pause(hook.id, actor=ada)
    held(telling.world, text="DELETE 2")
    telling.read()
    assert send_webhooks() == 0
    one = Delivery.objects.get(webhook=hook)
    assert one.status == Delivery.Status.DROPPED
    with pytest.raises(Refused):
        outbox.resend(one.id, actor=ada)
    webhook_actions.try_out(hook.id, actor=ada)
    assert send_webhooks() == 1  # a try goes out all the same
    webhook_actions.remove(hook.id, actor=ada)
    hook.refresh_from_db()
    assert (bytes(hook.sealed), hook.sealed_before) == (b"", None)
    for act in (webhook_actions.resume, webhook_actions.try_out, webhook_actions.remove):
        with pytest.raises(NotFound):
            act(hook.id, actor=ada)
    add_webhook(telling, receiver)  # its name is free
    telling.read()
    assert [event for event in entries_of(*Event) if event.startswith("webhook:")] == [
        "webhook:added", "webhook:paused", "webhook:tried", "webhook:removed", "webhook:added",
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["reviewer", "engineer", "ciso", "auditor", "owner", "outsider"])
def test_nobody_else_has_one(cast: Cast, who: str) -> None:
    with pytest.raises(RoleRequired):
        webhook_actions.add(actor=getattr(cast, who), name="x", url="https://x.example/", events=["hold:asked"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "http://chat.example/"}, "url"), ({"url": "https://169.254.169.254/"}, "url"), ({"events": []}, "events"),
        ({"events": ["action:allowed"]}, "events"), ({"name": ""}, "name"), ({"name": "a\nb"}, "name"), ({"tls_ca": "no"}, "tls_ca"),
        ({"name": "Taken"}, "name"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_names_its_field(cast: Cast, changed: dict[str, Any], field: str) -> None:
    good: Any = {"name": "Chat", "url": "https://chat.example/", "events": ["hold:asked"]}
    webhook_actions.add(actor=cast.administrator, **{**good, "name": "Taken"})
    with pytest.raises(Invalid) as refused:
        webhook_actions.add(actor=cast.administrator, **{**good, **changed})
    assert refused.value.field == field


def test_what_is_long_past_is_forgotten_and_what_waits_is_not(telling: Telling, receiver: Receiver) -> None:
    hook, _ = add_webhook(telling, receiver)
    for _ in range(2):
        webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
        send_webhooks()
    webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
    Delivery.objects.update(made_at=db_now() - timedelta(days=31))
    forget_notifications()
    assert Delivery.objects.filter(webhook=hook).count() == 1


def test_a_denied_hold_is_told_too(telling: Telling, receiver: Receiver) -> None:
    add_webhook(telling, receiver)
    hold = held(telling.world)
    actions.deny(
        hold.id, actor=telling.cast.reviewer, seen=Hold.objects.get().digest, reason="No, because of eve@example.com."
    )
    telling.read()
    send_webhooks()
    assert sorted(json.loads(body)["type"] for _, _, body in receiver.got) == ["hold.asked", "hold.denied"]
    assert not any(b"eve" in body for _, _, body in receiver.got)
