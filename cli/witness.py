"""`narrowgate witness`: cosign the checkpoints of ledgers, on a machine that is not theirs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
import uvicorn

from core.env import secret
from core.errors import NarrowgateError
from ledger.checkpoint import NoteError, VerifierKey
from ledger.signer import FileSigner
from ledger.witness import LARGEST_REQUEST, Answer, Witness

PATIENCE: Final = 10.0
"""Seconds that a client has to send its request."""
AT_ONCE: Final = 64
log = structlog.get_logger()

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def witness(
    name: Annotated[str, typer.Argument(help="The witness's name: a URL without its scheme, such as w.example/1.")],
    log_keys: Annotated[list[str], typer.Option("--log", help="A ledger's verifier key, name+hash+key; repeat it.")],
    folder: Annotated[Path, typer.Option(help="Where the witness keeps its key and what it saw.")],
    listen: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1:8090",
) -> None:
    """Cosign a ledger's checkpoints: each only if it continues what was seen before. WITNESS_PASSPHRASE opens its key."""
    try:
        logs = [VerifierKey.parse(key) for key in log_keys]
        VerifierKey(name, bytes(32))
    except NoteError as error:
        raise NarrowgateError(f"A name or a key cannot be used: {error}") from None
    passphrase = secret("WITNESS_PASSPHRASE")
    signer = FileSigner.load_or_create(folder / "witness.key", passphrase, name)
    with Witness(folder, signer, logs) as own, _door(listen) as door:
        host, port = door.getsockname()[:2]
        typer.echo(f"The witness listens on http://{host}:{port}. Its key:\n{own.key}")
        config = uvicorn.Config(
            _App(own), http="h11", lifespan="off", log_config=None, access_log=False, server_header=False, limit_concurrency=AT_ONCE,
        )  # fmt: skip  # h11 by name: it bounds the head of a request
        uvicorn.Server(config).run(sockets=[door])


def _door(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server(
            (host.strip("[]"), int(port)), family=socket.AF_INET6 if "[" in host else socket.AF_INET
        )
    except (OSError, ValueError, OverflowError) as error:
        raise NarrowgateError(f"The address {listen} cannot be listened on: {error}.", "Say it as HOST:PORT.") from None


class _App:
    """The ASGI side: reads a request of limited size in limited time, and gives the witness's answer."""

    def __init__(self, own: Witness) -> None:
        self._own = own

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except TimeoutError:
            answer = Answer(408, "The request did not arrive in time.\n")
        except OSError as error:
            log.warning("witness_cannot_write", error=str(error))
            answer = Answer(500, "The witness cannot keep its record now.\n")
        told = log.info if answer.status == 200 else log.warning
        told("witness", method=scope["method"], status=answer.status, says=answer.text.strip()[:200])
        headers = [(b"content-type", answer.kind.encode()), (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.text.encode()})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path == "/add-checkpoint":
            if method != "POST":
                return Answer(405, "Checkpoints are posted.\n")
            async with asyncio.timeout(PATIENCE):
                body = await _body(receive)
            return await asyncio.to_thread(self._own.add_checkpoint, body)
        first, _, rest = path.removeprefix("/").partition("/")
        if rest == "checkpoint" and method in {"GET", "HEAD"}:
            return await asyncio.to_thread(self._own.checkpoint, first)
        return Answer(404, "There is /add-checkpoint, and /HASH-OF-ORIGIN/checkpoint.\n")


async def _body(receive: Receive) -> bytes:
    """The request's body, as far as it can be one: a longer one is refused for its length."""
    body, more = b"", True
    while more and len(body) <= LARGEST_REQUEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
