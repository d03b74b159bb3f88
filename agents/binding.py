"""What a token is bound to, and whether whoever presents it shows that: a key, a certificate, a network. Pure.

RFC 9449 section 6 (`jkt`) and RFC 8705 section 3 (`x5t#S256`). A token bound to nothing is a bearer token, and is called so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from agents.access import Identity
from core.errors import Invalid, Refused

MOST_NETWORKS = 16


def thumbprint(certificate: bytes) -> str:
    """`x5t#S256` of a certificate (DER)."""
    return base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()


def require_shown(identity: Identity, *, source: str, key: str = "", certificate: bytes | None = None) -> None:
    """Raise Refused unless the token's key (a thumbprint) was proved, its certificate shown, and `source` is where it may be from."""
    if identity.jkt and not hmac.compare_digest(identity.jkt, key):
        raise Refused(
            "The token is bound to a key, and that the key is held was not proved.",
            "Present it with a DPoP proof by that key.", code="token_bound",
        )  # fmt: skip
    if identity.x5t and (certificate is None or not hmac.compare_digest(identity.x5t, thumbprint(certificate))):
        raise Refused(
            "The token is bound to a client certificate, and this connection does not show that one.",
            "Present it over TLS with the certificate that it was asked for with.", code="token_bound",
        )  # fmt: skip
    if identity.networks and not is_within(source, identity.networks):
        raise Refused(
            "The token may not be used from this address.",
            "It names the networks that it is for.",
            code="wrong_network",
        )


def read_networks(words: str) -> tuple[str, ...]:
    """The networks in a list with spaces between. Raises Invalid for one that is none, or for too many."""
    given = words.split()
    if len(given) > MOST_NETWORKS:
        raise Invalid("networks", f"There are more than {MOST_NETWORKS} networks.")
    try:
        return tuple(str(ip_network(one)) for one in given)
    except ValueError:
        raise Invalid("networks", "A network is written as 192.0.2.0/24 or 2001:db8::/32.") from None


def is_within(source: str, networks: Iterable[str]) -> bool:
    """Whether an address is in one of `networks`. What is no address is in none."""
    try:
        address = ip_address(source)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ip_network(one) for one in networks)
