"""What a destination of checkpoints is: it is given a parcel, and brings back a receipt or an error in words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import httpx

from ledger.cosignature import Cosignature

PATIENCE: Final = 5.0
"""Seconds for each step of a request, and for the answer as a whole."""
LONGEST_ANSWER: Final = 64 * 1024


class DeliveryError(Exception):
    """It did not arrive: the message is one sentence."""


class AnotherSizeError(DeliveryError):
    """A witness has last seen a checkpoint of another size than was thought."""

    def __init__(self, size: int) -> None:
        super().__init__(f"It has last seen {size} entries.")
        self.size = size


@dataclass(frozen=True, slots=True)
class Parcel:
    """A checkpoint: its note as the log signed it, the same with cosignatures, and the proof that it continues `old`."""

    size: int
    note: str
    cosigned: str
    old: int = 0
    proof: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a time-stamp authority said."""

    authority: str
    response: bytes
    moment: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came back, to be kept."""

    cosignatures: list[Cosignature] = field(default_factory=list)
    stamp: Stamp | None = None


class Destination(Protocol):
    """Where checkpoints go. `send` runs in a thread of its own and touches no database."""

    @property
    def name(self) -> str:
        """What people know it by."""

    @property
    def every(self) -> timedelta:
        """How often at most."""

    @property
    def asks_proof(self) -> bool:
        """Whether it wants to see that a checkpoint continues the last one."""

    def send(self, parcel: Parcel) -> Receipt:
        """Deliver. Raises DeliveryError."""


def post(client: httpx.Client, url: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Post, and give the answer's status and body. Raises DeliveryError for none, a slow one and a long one."""
    deadline = time.monotonic() + PATIENCE
    try:
        with client.stream("POST", url, content=content, headers=headers) as response:
            body = b""
            for part in response.iter_raw():
                body += part
                if len(body) > LONGEST_ANSWER or time.monotonic() > deadline:
                    raise DeliveryError("Its answer is too long, or too slow.")
            return response.status_code, body
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryError(f"It does not answer ({type(error).__name__}).") from None


def client() -> httpx.Client:
    """A client that gives up in time and follows nobody elsewhere."""
    return httpx.Client(timeout=PATIENCE, follow_redirects=False)
