"""An agent's program, and what became of its actions."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from activity.models import Action
from tests.gateway.wire.doors import trusting
from tests.gateway.wire.http.upstream import Api
from tests.gateway.wire.world import World, eventually


class Agent:
    """An agent's program, that speaks HTTP."""

    def __init__(self, world: World, door: str, api: Api, http: httpx.Client) -> None:
        self.world, self.door, self.api, self.http = world, door, api, http
        self.token = world.token(resource="bank")
        api.seen.clear()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.http.request(method, f"/http/bank{path}", headers=headers, **options)

    @contextmanager
    def stream(self) -> Iterator[ssl.SSLSocket]:
        """A connection to the door, to write to by hand."""
        port = int(self.door.rpartition(":")[2])
        with (
            socket.create_connection(("localhost", port), timeout=20) as plain,
            trusting(self.world).wrap_socket(plain, server_hostname="localhost") as stream,
        ):
            yield stream

    def written(self, head: str, end: str = "\r\n") -> bytes:
        """A head with this agent's token, and lines that end as HTTP's do, or as said."""
        return head.replace("TOKEN", self.token).replace("\n", end).encode("latin-1")

    def raw(self, head: str, body: bytes = b"", *, at_once: int = 1_000_000) -> bytes:
        """Bytes as no client would send them, in pieces of so many; what came back."""
        return self.sent(self.written(head) + body, at_once=at_once)

    def sent(self, sent: bytes, *, at_once: int = 1_000_000) -> bytes:
        """What comes back for these bytes."""
        with self.stream() as stream:
            for at in range(0, len(sent), at_once):
                stream.sendall(sent[at : at + at_once])
            got = b""
            try:
                while piece := stream.recv(65_536):
                    got += piece
            except (OSError, ssl.SSLError):
                pass
            return got


def last(**wanted: Any) -> Action:
    """The newest action at the API, once it is as wanted."""
    found = eventually(lambda: Action.objects.filter(**wanted).order_by("-asked_at", "-number").first())
    assert found is not None
    return found
