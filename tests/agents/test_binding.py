"""What a bound token asks of whoever presents it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from agents.access import Identity
from agents.binding import is_within, read_networks, require_shown, thumbprint
from core.errors import Invalid, Refused

PLAIN = Identity("support.production", "shop", uuid.uuid4(), datetime.now(UTC))


def having(**changed: object) -> Identity:
    return Identity(**(vars(PLAIN) | changed))


def test_a_bearer_token_asks_for_nothing() -> None:
    require_shown(PLAIN, source="192.0.2.7")


def test_a_key_must_be_proved() -> None:
    require_shown(having(jkt="abc"), source="", key="abc")
    for key in ("", "abd"):
        with pytest.raises(Refused) as refused:
            require_shown(having(jkt="abc"), source="", key=key)
        assert refused.value.code == "token_bound"


def test_a_certificate_must_be_shown() -> None:
    require_shown(having(x5t=thumbprint(b"mine")), source="", certificate=b"mine")
    for certificate in (None, b"another's"):
        with pytest.raises(Refused) as refused:
            require_shown(having(x5t=thumbprint(b"mine")), source="", certificate=certificate)
        assert refused.value.code == "token_bound"


@pytest.mark.parametrize("source", ["198.51.100.1", "", "nowhere", "2001:db8:1::1"])
def test_a_network_is_kept_to(source: str) -> None:
    networks = read_networks("192.0.2.0/24 2001:db8::/48")
    require_shown(having(networks=networks), source="192.0.2.7")
    with pytest.raises(Refused) as refused:
        require_shown(having(networks=networks), source=source)
    assert refused.value.code == "wrong_network"


def test_an_address_within_ipv6_is_the_address_it_is() -> None:
    assert is_within("::ffff:192.0.2.7", ["192.0.2.0/24"])


@pytest.mark.parametrize("words", ["192.0.2.1/24", "nowhere", "192.0.2.0/33", " ".join(["192.0.2.0/24"] * 17)])
def test_what_is_no_network_is_told(words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_networks(words)
    assert refused.value.field == "networks"
