"""Webhooks and deliveries by page and by API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts import actions as people
from approvals.outbox import webhook_actions
from approvals.outbox.models import Delivery, Webhook
from approvals.tasks import send_webhooks
from tests.cast import Cast
from tests.notifications.conftest import Telling
from tests.notifications.receiver import Receiver
from tests.notifications.webhooks import HEARD, signed_in_as


def test_an_administrator_adds_one_by_page_and_its_secret_is_shown_once(telling: Telling, receiver: Receiver) -> None:
    client = signed_in_as(telling.cast.administrator)
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
    answer = signed_in_as(cast.administrator).post(reverse("webhooks:add"), form)
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
    client = signed_in_as(cast.administrator)
    with django_assert_max_num_queries(14):
        first = client.get(reverse("webhooks:deliveries")).content.decode()
    assert first.count("Deliver once more:") == 50
    assert "Older deliveries" in first
