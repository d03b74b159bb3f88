"""Posts to addresses that people or browsers named: each name resolved once, no redirect followed, nothing kept of an answer but its status."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import httpcore
import structlog

from agents.connection_words import refused_tls
from agents.pinned import AddressRefused, PinnedBackend
from approvals.outbox.addresses import Address

WITHIN: Final = 10.0
"""Seconds from connecting to the status of the answer."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Post:
    """A request. `near` lets it go to a private address; `own_ca` is the PEM of its network's own authority, or empty."""

    to: Address
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    near: bool = False
    own_ca: str = ""


@dataclass(frozen=True)
class Answered:
    """The status of the answer, or in words why there is none."""

    status: int | None
    problem: str = ""

    @property
    def arrived(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that nothing is to be sent there any more."""
        return self.status == 410


def send(posts: Sequence[Post]) -> list[Answered]:
    """Send all at once; what came of each. Never raises for what is wrong out there."""

    async def sending() -> list[Answered]:
        return await asyncio.gather(*map(_send, posts))

    return asyncio.run(sending()) if posts else []


async def _send(post: Post) -> Answered:
    try:
        async with asyncio.timeout(WITHIN):
            status = await _status(post)
    except (TimeoutError, httpcore.TimeoutException):
        return Answered(None, f"It did not answer within {WITHIN:.0f} seconds.")
    except AddressRefused:
        return Answered(None, f"{post.to.host} leads to an address that nothing is sent to.")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        return Answered(None, _in_words(error, post.to.host))
    if 200 <= status < 300:
        return Answered(status)
    return Answered(
        status,
        "It answered with a redirect, which is not followed." if 300 <= status < 400 else f"It answered {status}.",
    )


async def _status(post: Post) -> int:
    """The status of the answer; its body is not read."""
    context = _trusting(post.own_ca) if post.to.tls else None
    url = httpcore.URL(
        scheme=b"https" if post.to.tls else b"http",
        host=post.to.host.encode(),
        port=post.to.port,
        target=post.to.target.encode(),
    )
    headers = {
        "Host": post.to.authority,
        "User-Agent": "Narrowgate",
        "Content-Length": str(len(post.body)),
        **post.headers,
    }
    backend = PinnedBackend(near=post.near)
    async with (
        httpcore.AsyncConnectionPool(
            ssl_context=context, http1=True, http2=False, retries=0, network_backend=backend
        ) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=post.body) as response,
    ):
        return int(response.status)


@lru_cache(maxsize=64)
def _trusting(own_ca: str) -> ssl.SSLContext:
    """TLS checked against `own_ca` (PEM), or the authorities that this machine trusts."""
    context = ssl.create_default_context(cadata=own_ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _in_words(error: Exception, host: str) -> str:
    """What went wrong, in words of ours: an answer's own words go nowhere."""
    log.info("post_failed", host=host, error=type(error).__name__)
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, ssl.SSLError):
            return refused_tls(at, host).says
        at = at.__cause__ or at.__context__
    if isinstance(error, httpcore.ConnectError):
        return f"{host} cannot be reached."
    return "It broke off without an answer in HTTP."
