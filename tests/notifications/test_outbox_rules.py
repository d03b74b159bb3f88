"""What the outbox decides without a database: addresses, signatures, when to try again, what a message says."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.outbox import standard
from approvals.outbox.addresses import address_of, push_address_of
from approvals.outbox.retrying import LIFE, PAUSES, Channel, again
from approvals.outbox.saying import EVENTS, Concern, Named, Written, message
from core.errors import Invalid
from ledger.events import Event

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ONE, OTHER = UUID(int=1), UUID(int=2)


def test_a_signature_is_what_the_specification_says() -> None:
    """The example of the specification's own libraries."""
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    sent = standard.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', [secret])
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sent["webhook-timestamp"] == "1614265330"


def test_two_secrets_sign_while_they_overlap_and_a_changed_body_is_noticed() -> None:
    first, second = bytes(32), bytes(range(32))
    sent = standard.headers("msg_1", NOW, b"{}", [second, first])
    assert all(standard.verifies(sent, b"{}", standard.written(secret)) for secret in (first, second))
    assert not standard.verifies(sent, b"{ }", standard.written(first))
    assert not standard.verifies(sent, b"{}", standard.written(bytes([9] * 32)))


@pytest.mark.parametrize(
    "url",
    [
        "", "http://example.com/", "ftp://example.com/", "https://", "https://user@example.com/", "https://a:b@example.com/",
        "https://example.com/#x", "https://exa mple.com/", "https://example.com:99999/", "https://169.254.169.254/latest/",
        "https://[fe80::1]/", "https://[::ffff:169.254.169.254]/", "https://0.0.0.0/", "http://10.0.0.1/", "//example.com/",
        "https://example.com\\@evil.example/", "https://ex\u0430mple.com/", "https://example.com/\r\nHost: x", "https://224.0.0.1/",
        "https://" + "a" * 500,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        address_of(url)


def test_addresses_that_are() -> None:
    found = address_of("https://hooks.example.com:8443/in?x=1")
    assert (found.tls, found.host, found.port, found.target) == (True, "hooks.example.com", 8443, "/in?x=1")
    assert (found.authority, found.origin) == ("hooks.example.com:8443", "https://hooks.example.com:8443")
    assert address_of("http://localhost:9/").tls is False
    assert address_of("https://[2001:db8::1]/").authority == "[2001:db8::1]"
    assert push_address_of("https://push.example.com/x").host == "push.example.com"


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "https://localhost/x", "https://127.0.0.1/x", "https://8.8.8.8/x", "https://intranet/x", "https://a.localhost/"]
)  # fmt: skip
def test_a_push_service_has_a_name_of_the_internet(url: str) -> None:
    with pytest.raises(Invalid):
        push_address_of(url)


@given(
    channel=st.sampled_from(list(Channel)), tries=st.integers(1, 20), left=st.integers(0, 90_000), drawn=st.floats(0, 1)
)
def test_trying_again_grows_slower_and_ends(channel: Channel, tries: int, left: int, drawn: float) -> None:
    until = NOW + timedelta(seconds=left)
    at = again(channel, tries=tries, until=until, now=NOW, drawn=drawn)
    if at is None:
        assert tries > len(PAUSES[channel]) or NOW + PAUSES[channel][tries - 1] * 1.2 > until
    else:
        assert NOW + PAUSES[channel][tries - 1] <= at <= until


def test_what_is_tried_lasts_no_longer_than_it_is_worth() -> None:
    for channel, pauses in PAUSES.items():
        assert list(pauses) == sorted(pauses)
        assert sum(pauses, timedelta()) < LIFE[channel]


def test_a_message_holds_identifiers_words_and_a_link() -> None:
    written = Written(7, UUID(int=7), Event.HOLD_ASKED, NOW, "hold", str(ONE))
    concern = Concern(Named(ONE, "support.production"), None)
    said = json.loads(message(written, concern, "https://console.example/queue/1/"))
    assert said == {
        "type": "hold.asked",
        "timestamp": "2026-11-26T09:00:00.000Z",
        "data": {
            "says": Event.HOLD_ASKED.meaning,
            "entry": {"index": 7, "id": str(UUID(int=7))},
            "subject": {"kind": "hold", "id": str(ONE)},
            "agent": {"id": str(ONE), "name": "support.production"},
            "link": "https://console.example/queue/1/",
        },
    }


def test_whom_an_entry_concerns() -> None:
    concern = Concern(Named(ONE, "a.production"), Named(OTHER, "shop"))
    assert concern.is_for(frozenset(), frozenset())
    assert concern.is_for(frozenset({ONE}), frozenset({OTHER}))
    assert not concern.is_for(frozenset({OTHER}), frozenset())
    assert not Concern().is_for(frozenset({ONE}), frozenset())


def test_nothing_that_an_agent_does_by_itself_is_offered() -> None:
    assert not {
        event for event in EVENTS if event.startswith(("action:", "actions:", "session:", "record:", "secret:used"))
    }
