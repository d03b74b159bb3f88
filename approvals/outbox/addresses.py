"""Addresses that the console may send to. Pure: no Django, no I/O; a name is looked up only when something is sent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from agents.connection_test import may_be_reached
from core.errors import Invalid

LONGEST: Final = 500


@dataclass(frozen=True)
class Address:
    """Where a request goes."""

    tls: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and authority, as RFC 6454 writes them."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"


def address_of(url: str, *, field: str = "url") -> Address:
    """The address that `url` names. Raises Invalid for what is none of https, or may be nobody's.

    Without TLS it may name this machine alone: `http://localhost`.
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Invalid(
            field, "That is no address.", f"Write it as https://host/path, in ASCII, {LONGEST} characters at most."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(field, "That is no address.", "Write it as https://host/path.") from None
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid(field, "An address holds no login and no fragment.", "Leave them out.")
    tls = parts.scheme == "https"
    if not host or not (tls or (parts.scheme == "http" and _is_here(host))):
        raise Invalid(
            field, "The address does not begin with https://.", "Nothing is sent without TLS beyond this machine."
        )
    _require_somebodys(host, field)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(tls, host, port or (443 if tls else 80), target)


def push_address_of(url: str) -> Address:
    """The address of a browser's push service: a name, with TLS. Raises Invalid."""
    found = address_of(url, field="endpoint")
    if not found.tls or _literal(found.host) is not None or "." not in found.host or found.host.endswith(".localhost"):
        raise Invalid("endpoint", "That is no push service of a browser.", "Send what the browser's PushManager gave.")
    return found


def _require_somebodys(host: str, field: str) -> None:
    if _literal(host) is not None and not may_be_reached(host):
        raise Invalid(field, f"{host} is an address that no receiver has.", "Use the receiver's own host.")


def _is_here(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" if literal is None else ip_address(literal).is_loopback


def _literal(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None
