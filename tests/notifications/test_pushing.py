"""Pushes: encrypted for one browser, signed by the console, sent to a push service on this machine, forgotten where it is gone."""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.test import Client
from django.urls import reverse
from joserfc import jwt
from joserfc.jwk import ECKey

from accounts.models import User
from agents.ca import server_identity
from approvals import actions
from approvals.models import Hold
from approvals.notifications.actions import choose
from approvals.notifications.kinds import Kind
from approvals.outbox import device_actions, posting, pushing
from approvals.outbox.addresses import address_of
from approvals.outbox.models import Delivery, Device
from approvals.outbox.push_key import public_key
from approvals.tasks import send_pushes
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.models import Entry
from tests.approvals.world import held
from tests.bring.callers import Caller
from tests.cast import Cast
from tests.notifications.conftest import Telling
from tests.notifications.receiver import Receiver, receiving

AUTH = bytes(range(16))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Browser:
    """What a browser keeps of its subscription."""

    key: ec.EllipticCurvePrivateKey
    endpoint: str

    @property
    def p256dh(self) -> str:
        return _text(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def subscribe(self, person: User) -> Device:
        return device_actions.add(
            actor=person, endpoint=self.endpoint, p256dh=self.p256dh, auth=_text(AUTH), name="Firefox on Linux"
        )

    def opened(self, body: bytes) -> Any:
        """What the browser reads (RFC 8291)."""
        return json.loads(http_ece.decrypt(body, private_key=self.key, auth_secret=AUTH, version="aes128gcm"))


def _browser(name: str = "a") -> Browser:
    return Browser(ec.generate_private_key(ec.SECP256R1()), f"https://push.example.com/{name}")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A push service with TLS on this machine. Its name, its authority and that it is here stand in for the internet's."""
    identity = server_identity(tmp_path, "tests", ["localhost"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key, identity.passphrase)
    trusting, authority = posting._trusting, identity.ca.read_text()
    with receiving(tls) as receiver:
        receiver.status = 201
        monkeypatch.setattr(posting, "_trusting", lambda own_ca: trusting(authority))
        monkeypatch.setattr(
            pushing, "push_address_of", lambda url: address_of(f"https://localhost:{receiver.port}/{url[-1]}")
        )
        monkeypatch.setattr(pushing, "NEAR", True)
        yield receiver


def test_a_push_is_read_by_its_browser_alone_and_says_no_word_of_an_agent(telling: Telling, service: Receiver) -> None:
    browser = _browser()
    browser.subscribe(telling.cast.reviewer)
    hold = held(telling.world, text="DELETE FROM customers WHERE email = 'eve@example.com'")
    telling.read()
    assert (send_pushes(), send_pushes()) == (1, 0)
    ((path, headers, body),) = service.got
    said = browser.opened(body)
    assert path == "/a"
    assert said["title"] == "A hold waits for your review"
    assert sorted(said) == ["place", "title"]
    client = Client()
    client.force_login(telling.cast.reviewer, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.get(said["place"]).headers["Location"] == f"/queue/{hold.id}/"
    assert (headers["content-encoding"], headers["ttl"]) == ("aes128gcm", "3600")
    with pytest.raises(http_ece.ECEException):
        _browser().opened(body)


def test_the_push_service_learns_who_pushes(telling: Telling, service: Receiver) -> None:
    _browser().subscribe(telling.cast.reviewer)
    held(telling.world)
    telling.read()
    send_pushes()
    ((_, headers, _),) = service.got
    token, key = headers["authorization"].removeprefix("vapid t=").split(", k=")
    assert key == public_key()
    point = urlsafe_b64decode(key + "=" * (-len(key) % 4))
    public = ECKey.import_key(
        {"kty": "EC", "crv": "P-256", "x": _text(point[1:33]), "y": _text(point[33:])}
    )  # fmt: skip
    claims = jwt.decode(token, public, algorithms=["ES256"]).claims
    assert claims["aud"] == f"https://localhost:{service.port}"
    assert 0 < claims["exp"] - db_now().timestamp() < timedelta(hours=24).total_seconds()
    assert claims["sub"] == settings.CONSOLE_URL


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(telling: Telling, service: Receiver, status: int) -> None:
    service.status = status
    _browser().subscribe(telling.cast.reviewer)
    held(telling.world)
    telling.read()
    send_pushes()
    assert not Device.objects.exists()
    assert Delivery.objects.get(channel="push").status == Delivery.Status.DROPPED


def test_a_push_service_that_fails_is_tried_again(telling: Telling, service: Receiver) -> None:
    service.status = 503
    _browser().subscribe(telling.cast.reviewer)
    held(telling.world)
    telling.read()
    assert send_pushes() == 0
    one = Delivery.objects.get(channel="push")
    assert (one.status, one.answered, one.tries) == (Delivery.Status.WAITING, 503, 1)
    service.status = 201
    Delivery.objects.update(due_at=db_now())
    assert send_pushes() == 1


def test_a_private_address_is_never_pushed_to(
    telling: Telling, service: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "NEAR", False)
    _browser().subscribe(telling.cast.reviewer)
    held(telling.world)
    telling.read()
    assert send_pushes() == 0
    assert "leads to an address that nothing is sent to" in Delivery.objects.get(channel="push").problem
    assert not service.got


def test_what_waits_no_longer_is_not_pushed(telling: Telling, service: Receiver) -> None:
    _browser().subscribe(telling.cast.reviewer)
    hold = held(telling.world)
    telling.read()
    actions.deny(hold.id, actor=telling.cast.teammate, seen=Hold.objects.get().digest, reason="No.")
    assert send_pushes() == 0
    assert not service.got


def test_each_browser_is_pushed_to_and_the_night_comes_as_one(telling: Telling, service: Receiver) -> None:
    first, second = _browser("a"), _browser("b")
    for browser in (first, second):
        browser.subscribe(telling.cast.reviewer)
    now, kinds = db_now(), [kind.value for kind in Kind]
    begins, ends = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    choose(actor=telling.cast.reviewer, shown=kinds, mailed=[], quiet_from=begins, quiet_until=ends, zone="UTC")
    for number in range(3):
        held(telling.world, text=f"DELETE {number}")
        telling.read()
    assert send_pushes() == 0
    Delivery.objects.filter(channel="push").update(due_at=db_now())
    assert send_pushes() == 2
    by = {"/a": first, "/b": second}
    for path, _, body in service.got:
        assert by[path].opened(body) == {"title": "3 things to know", "place": "/notifications/"}


def test_one_who_wants_no_push_of_a_kind_gets_none(telling: Telling, service: Receiver) -> None:
    _browser().subscribe(telling.cast.reviewer)
    choose(
        actor=telling.cast.reviewer, shown=[], mailed=[], pushed=["glass"], quiet_from=None, quiet_until=None, zone="UTC"
    )  # fmt: skip
    held(telling.world)
    telling.read()
    assert not Delivery.objects.filter(person=telling.cast.reviewer).exists()


# ---- devices ----
@pytest.mark.django_db
def test_a_browser_is_its_last_persons(cast: Cast) -> None:
    browser = _browser()
    browser.subscribe(cast.reviewer)
    browser.subscribe(cast.reviewer)
    browser.subscribe(cast.teammate)
    assert [one.person for one in Device.objects.all()] == [cast.teammate]
    with pytest.raises(NotFound):
        device_actions.remove(Device.objects.get().id, actor=cast.reviewer)
    device_actions.remove(Device.objects.get().id, actor=cast.teammate)
    assert not Device.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"endpoint": "http://push.example.com/x"}, "endpoint"), ({"endpoint": "https://10.0.0.1/x"}, "endpoint"),
        ({"endpoint": "https://localhost/x"}, "endpoint"), ({"p256dh": "AAAA"}, "p256dh"), ({"p256dh": "\u00e9"}, "p256dh"),
        ({"auth": "AAAA"}, "auth"), ({"auth": "!"}, "auth"),
    ],
)  # fmt: skip
def test_what_no_browser_gave_is_refused(cast: Cast, changed: dict[str, str], field: str) -> None:
    browser = _browser()
    good = {"endpoint": browser.endpoint, "p256dh": browser.p256dh, "auth": _text(AUTH), "name": "x"}
    with pytest.raises(Invalid) as refused:
        device_actions.add(actor=cast.reviewer, **{**good, **changed})
    assert refused.value.field == field


@pytest.mark.django_db
def test_nobody_has_any_number(cast: Cast) -> None:
    for number in range(device_actions.MOST):
        _browser(str(number)).subscribe(cast.reviewer)
    with pytest.raises(Refused):
        _browser("more").subscribe(cast.reviewer)


@pytest.mark.django_db
def test_by_api(cast: Cast) -> None:
    browser, mine, theirs = _browser(), Caller(cast.reviewer), Caller(cast.teammate)
    given = {"endpoint": browser.endpoint, "p256dh": browser.p256dh, "auth": _text(AUTH), "name": "Firefox"}
    status, made = mine.post("devices", given)
    assert (status, made["name"], made["service"]) == (201, "Firefox", "push.example.com")
    assert browser.endpoint not in str(made)  # its address lets one push
    assert [one["id"] for one in mine.get("devices")[1]["results"]] == [made["id"]]
    assert theirs.get("devices")[1]["results"] == []
    assert theirs.get(f"devices/{made['id']}")[0] == 404
    assert theirs.client.delete(f"/api/v1/devices/{made['id']}").status_code == 404
    status, said = mine.post("devices", given | {"endpoint": "http://push.example.com/1"})
    assert (status, said["field"]) == (422, "endpoint")
    assert mine.client.delete(f"/api/v1/devices/{made['id']}").status_code == 204
    assert not Device.objects.exists()


def test_by_page(telling: Telling) -> None:
    browser = _browser()
    client = Client()
    client.force_login(telling.cast.reviewer, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get(reverse("notifications:choices")).content.decode()
    assert f'data-push-key="{public_key()}"' in page
    form = {"endpoint": browser.endpoint, "p256dh": browser.p256dh, "auth": _text(AUTH), "name": "<b>Firefox"}
    client.post(reverse("notifications:add_device"), form)
    assert "&lt;b&gt;Firefox" in client.get(reverse("notifications:choices")).content.decode()
    client.post(reverse("notifications:remove_device", args=[Device.objects.get().id]))
    assert not Device.objects.exists()
    telling.read()
    said = Entry.objects.filter(event__startswith="device:").order_by("index")
    assert [one.event for one in said] == ["device:added", "device:removed"]
    assert not any(b"push.example.com/" in bytes(one.leaf) for one in said)  # its address lets one push
    worker = Client().get("/push-worker.js")
    assert worker.headers["Content-Type"] == "text/javascript"
    assert b"showNotification" in worker.content
