"""Pushes to browsers (RFC 8030): what is sent is encrypted for the browser alone (RFC 8291) and holds words of ours and a place, no more.

The push service learns that this console has something to say, and to which browser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.urls import reverse
from joserfc import jwt
from pywebpush import WebPusher, WebPushException

from approvals.notifications.mail import still_wanted
from approvals.notifications.models import Notification
from approvals.outbox.actions import NOT_ANY_MORE, Outcome, claim, settle
from approvals.outbox.addresses import Address, push_address_of
from approvals.outbox.device_actions import is_gone
from approvals.outbox.models import Delivery, Device
from approvals.outbox.posting import Answered, Post, send
from approvals.outbox.push_key import public_key, signing_key
from approvals.outbox.retrying import Channel
from core.errors import NarrowgateError
from core.words import plural

AT_ONCE: Final = 50
KEPT_FOR: Final = timedelta(hours=1)
"""How long a push service keeps it for a browser that is not there."""
SIGNED_FOR: Final = timedelta(hours=1)
NEAR: Final = False
"""No push service is at a private address."""
GONE: Final = frozenset({404, 410})


def turn() -> int:
    """Push what is due; says how many a push service took."""
    claimed = claim(Delivery.objects.filter(channel=Channel.PUSH), most=AT_ONCE)
    posts, ready = [], []
    for one in claimed:
        told = still_wanted(one)
        if one.device is None or not told:
            settle(one.id, Outcome(False, NOT_ANY_MORE, wanted=False))
            continue
        try:
            posts.append(_post(one, one.device, told))
            ready.append(one)
        except (NarrowgateError, WebPushException, ValueError) as error:
            settle(one.id, Outcome(False, f"{type(error).__name__}: it could not be encrypted."))
    return sum(_settle(one, answered) for one, answered in zip(ready, send(posts), strict=True))


def said(told: list[Notification]) -> dict[str, str]:
    """What a push says: words of ours and a place in the console."""
    if len(told) == 1:
        return {"title": told[0].title, "place": reverse("notifications:open", args=[told[0].id])}
    return {"title": f"{plural(len(told), 'thing')} to know", "place": reverse("notifications:all")}


def encrypted(device: Device, body: bytes) -> bytes:
    """`body` for this browser alone: aes128gcm (RFC 8188) under its keys. Raises ValueError for keys that are none."""
    keys = {"p256dh": device.p256dh, "auth": device.auth}
    pusher = WebPusher({"endpoint": device.endpoint, "keys": keys})
    return bytes(pusher.encode(body, content_encoding="aes128gcm")["body"])


def identified(to: Address, now: datetime) -> Mapping[str, str]:
    """Who pushes, signed for this push service alone (VAPID, RFC 8292)."""
    claims = {"aud": to.origin, "exp": int((now + SIGNED_FOR).timestamp()), "sub": settings.CONSOLE_URL}
    token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, signing_key(), algorithms=["ES256"])
    return {"Authorization": f"vapid t={token}, k={public_key()}"}


def _post(delivery: Delivery, device: Device, told: list[Notification]) -> Post:
    to, now = push_address_of(device.endpoint), datetime.now(UTC)
    headers = {
        "TTL": str(int(KEPT_FOR.total_seconds())),
        "Topic": delivery.id.hex,
        "Urgency": "high",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        **identified(to, now),
    }
    body = json.dumps(said(told), separators=(",", ":")).encode()
    return Post(to, headers, encrypted(device, body), near=NEAR)


def _settle(one: Delivery, answered: Answered) -> bool:
    gone = answered.status in GONE
    settle(one.id, Outcome(answered.arrived, answered.problem, answered.status, wanted=not gone))
    if gone and one.device_id is not None:
        is_gone(one.device_id)
    return answered.arrived
