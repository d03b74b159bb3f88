"""Webhooks: who may have one, what they are told, signed and tried again, and when one is stopped by itself."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts import actions as people
from accounts.models import User
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

HEARD = ["hold:asked", "hold:denied", "agent:suspended"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def _add(telling: Telling, receiver: Receiver, **changed: Any) -> tuple[Webhook, str]:
    about: Any = {"name": "Chat", "url": f"http://localhost:{receiver.port}/in", "events": HEARD, **changed}
    return webhook_actions.add(actor=telling.cast.administrator, **about)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _due() -> None:
    Delivery.objects.filter(status=Delivery.Status.WAITING).update(due_at=db_now())


def _entries(*events: Event) -> list[str]:
    return list(Entry.objects.filter(event__in=events).order_by("index").values_list("event", flat=True))


def test_a_message_is_signed_and_says_nothing_that_an_agent_wrote(telling: Telling, receiver: Receiver) -> None:
    _, secret = _add(telling, receiver)
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
    _add(telling, receiver, name="One agent", agents=[other.id])
    _add(telling, receiver, name="One resource", resources=[telling.world.resource.id], events=["hold:settled"])
    approve(held(telling.world), telling.cast.reviewer)
    telling.read()
    rows = Delivery.objects.filter(channel="webhook").values_list("webhook__name", "event")
    assert list(rows) == [("One resource", "hold:settled")]


def test_an_entry_is_told_once_whatever_crashes(telling: Telling, receiver: Receiver) -> None:
    from approvals.outbox.telling import tell_webhooks

    _add(telling, receiver)
    held(telling.world)
    telling.read()
    tell_webhooks(list(Entry.objects.filter(event="hold:asked")))
    assert Delivery.objects.filter(channel="webhook").count() == 1


def test_what_fails_is_tried_again_with_the_same_identifier_and_given_up(telling: Telling, receiver: Receiver) -> None:
    receiver.status = 503
    _add(telling, receiver)
    held(telling.world)
    telling.read()
    for _ in range(7):
        assert send_webhooks() == 0
        _due()
    one = Delivery.objects.get(channel="webhook")
    assert (one.status, one.answered, one.problem) == (Delivery.Status.GIVEN_UP, 503, "It answered 503.")
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 7
    receiver.status = 200
    outbox.resend(one.id, actor=telling.cast.administrator)
    assert send_webhooks() == 1
    telling.read()
    assert _entries(Event.DELIVERY_RESENT) == ["delivery:resent"]


def test_a_sender_that_died_is_followed_by_another(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(telling, receiver)
    held(telling.world)
    telling.read()

    def dies(*said: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "settle", dies)
        with pytest.raises(KeyboardInterrupt):
            send_webhooks()
    assert send_webhooks() == 0  # claimed still
    _due()  # the lease is over
    assert send_webhooks() == 1
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_after_a_day_of_failures_it_is_stopped_and_administrators_are_told(
    telling: Telling, receiver: Receiver
) -> None:
    hook, _ = _add(telling, receiver)
    receiver.status = 500
    held(telling.world)
    telling.read()
    send_webhooks()
    Webhook.objects.update(failing_since=db_now() - timedelta(hours=25))
    _due()
    send_webhooks()
    hook.refresh_from_db()
    assert hook.status == Webhook.Status.STOPPED
    assert not Delivery.objects.filter(webhook=hook, status=Delivery.Status.WAITING).exists()
    telling.read()
    assert telling.who("webhook") == {"ada", "abel"}
    one = Notification.objects.filter(kind="webhook", person=telling.cast.administrator).get()
    answer = _as(telling.cast.administrator).get(reverse("notifications:open", args=[one.id]))
    assert answer.headers["Location"] == f"/webhooks/{hook.id}/"
    webhook_actions.resume(hook.id, actor=telling.cast.administrator)
    hook.refresh_from_db()
    assert (hook.status, hook.failing_since) == (Webhook.Status.ACTIVE, None)


def test_a_receiver_that_is_gone_stops_it_at_once_and_success_forgets_failures(
    telling: Telling, receiver: Receiver
) -> None:
    hook, _ = _add(telling, receiver)
    for status, since, state in ((500, True, "active"), (200, False, "active"), (410, True, "stopped")):
        receiver.status = status
        webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
        send_webhooks()
        hook.refresh_from_db()
        assert (hook.failing_since is not None, hook.status) == (since, state)
        Delivery.objects.filter(status=Delivery.Status.WAITING).delete()


def test_one_that_fails_keeps_no_other_waiting(telling: Telling, receiver: Receiver) -> None:
    bad, _ = _add(telling, receiver, name="Bad", url="http://localhost:1/")
    _add(telling, receiver)
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
    _add(telling, receiver)
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
    _add(telling, receiver, url="https://hooks.example.com/")
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
        _add(telling, receiver, url=url, tls_ca=identity.ca.read_text())
        _add(telling, receiver, name="Trusts nobody here", url=url)
        held(telling.world)
        telling.read()
        assert send_webhooks() == 1
    lost = Delivery.objects.get(webhook__name="Trusts nobody here")
    assert lost.problem == "The server's certificate is signed by nobody this machine trusts."


def test_a_new_secret_and_the_one_before_sign_for_a_while(telling: Telling, receiver: Receiver) -> None:
    hook, before = _add(telling, receiver)
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
    hook, secret = _add(telling, receiver)
    for _ in range(2):
        vault_keys.rotate()
    webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
    assert send_webhooks() == 1
    _, headers, body = receiver.got[-1]
    assert standard.verifies(headers, body, secret)
    hook.refresh_from_db()
    assert secret.removeprefix("whsec_").encode() not in bytes(hook.sealed)


def test_pausing_and_removing(telling: Telling, receiver: Receiver) -> None:
    hook, _ = _add(telling, receiver)
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
    _add(telling, receiver)  # its name is free
    telling.read()
    assert [event for event in _entries(*Event) if event.startswith("webhook:")] == [
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


# ---- pages and API ----
def test_an_administrator_adds_one_by_page_and_its_secret_is_shown_once(telling: Telling, receiver: Receiver) -> None:
    client = _as(telling.cast.administrator)
    form = {
        "name": "Chat",
        "url": f"http://localhost:{receiver.port}/",
        "events": HEARD,
        "agents": "support.production",
    }
    made = client.post(reverse("webhooks:add"), form).content.decode()
    assert "whsec_" in made
    hook = Webhook.objects.get()
    page = client.get(reverse("webhooks:one", args=[hook.id])).content.decode()
    assert "whsec_" not in page
    assert "support.production" in page
    assert "whsec_" in client.post(reverse("webhooks:secret", args=[hook.id])).content.decode()
    client.post(reverse("webhooks:try", args=[hook.id]))
    assert send_webhooks() == 1
    page = client.get(reverse("webhooks:deliveries"), {"webhook": str(hook.id), "status": "sent"}).content.decode()
    assert "Delivered" in page
    assert client.post(reverse("webhooks:resend", args=[Delivery.objects.get(webhook=hook).id])).status_code == 302
    file = client.post(reverse("webhooks:deliveries_file"))
    assert b"webhook" in b"".join(_pieces(file))
    changed = {**form, "events": ["hold:asked"], "agents": ""}
    assert client.post(reverse("webhooks:edit", args=[hook.id]), changed).status_code == 302
    hook.refresh_from_db()
    assert (hook.events, hook.agents) == (["hold:asked"], [])
    assert client.post(reverse("webhooks:remove", args=[hook.id])).headers["Location"] == "/webhooks/"
    assert client.get(reverse("webhooks:one", args=[hook.id])).status_code == 404


def _pieces(answer: Any) -> list[bytes]:
    from asgiref.sync import async_to_sync

    async def all_of() -> list[bytes]:
        return [piece async for piece in answer.streaming_content]

    return async_to_sync(all_of)()


@pytest.mark.django_db
def test_a_form_that_cannot_be_used_keeps_what_was_typed(cast: Cast) -> None:
    form = {"name": "Chat", "url": "http://chat.example/", "events": ["hold:asked"], "agents": "nobody.production"}
    answer = _as(cast.administrator).post(reverse("webhooks:add"), form)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "There is no agent nobody.production here." in page
    assert 'value="http://chat.example/"' in page
    assert 'value="nobody.production"' in page
    assert not Webhook.objects.exists()


@pytest.mark.django_db
def test_a_program_does_the_same(cast: Cast) -> None:
    _, token = people.create_api_token(
        cast.administrator, name="t", scopes=("read", "webhooks:write"), lifetime=timedelta(hours=1), actor=cast.administrator
    )  # fmt: skip
    client = Client(headers={"Authorization": f"Token {token}"})
    body = {"name": "SIEM", "url": "https://siem.example/", "events": ["hold:asked"]}
    made = client.post("/api/v1/webhooks", body, content_type="application/json")
    assert made.status_code == 201
    said = json.loads(made.content)
    assert said["secret"].startswith("whsec_")
    address = f"/api/v1/webhooks/{said['id']}"
    assert "secret" not in json.loads(client.get(address).content)
    tried = json.loads(client.post(f"{address}/try").content)
    assert tried["status"] == "waiting"
    assert json.loads(client.patch(address, {"events": ["hold:denied"]}, content_type="application/json").content)[
        "events"
    ] == ["hold:denied"]
    assert client.post(f"{address}/pause").status_code == 200
    assert client.post(f"/api/v1/deliveries/{tried['id']}/resend").status_code == 403
    assert client.patch(address, {"url": "http://x.example/"}, content_type="application/json").status_code == 422
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert json.loads(client.get("/api/v1/deliveries?channel=webhook").content)["results"][0]["to"] == "SIEM"


@pytest.mark.django_db
def test_deliveries_are_paged_at_the_same_cost(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    hook, _ = webhook_actions.add(
        actor=cast.administrator, name="Chat", url="https://chat.example/", events=["hold:asked"]
    )
    for _ in range(60):
        webhook_actions.try_out(hook.id, actor=cast.administrator)
    client = _as(cast.administrator)
    with django_assert_max_num_queries(14):
        first = client.get(reverse("webhooks:deliveries")).content.decode()
    assert first.count("Deliver once more:") == 50
    assert "Older deliveries" in first


def test_what_is_long_past_is_forgotten_and_what_waits_is_not(telling: Telling, receiver: Receiver) -> None:
    hook, _ = _add(telling, receiver)
    for _ in range(2):
        webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
        send_webhooks()
    webhook_actions.try_out(hook.id, actor=telling.cast.administrator)
    Delivery.objects.update(made_at=db_now() - timedelta(days=31))
    forget_notifications()
    assert Delivery.objects.filter(webhook=hook).count() == 1


def test_a_denied_hold_is_told_too(telling: Telling, receiver: Receiver) -> None:
    _add(telling, receiver)
    hold = held(telling.world)
    actions.deny(
        hold.id, actor=telling.cast.reviewer, seen=Hold.objects.get().digest, reason="No, because of eve@example.com."
    )
    telling.read()
    send_webhooks()
    assert sorted(json.loads(body)["type"] for _, _, body in receiver.got) == ["hold.asked", "hold.denied"]
    assert not any(b"eve" in body for _, _, body in receiver.got)
