"""The one-process server's parts, started in order, watched together, stopped in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import uvicorn
from django.conf import settings

from agents import certificates, ssh_host
from agents.ca import ServerIdentity
from console import database
from console.jobs import Jobs
from core.errors import NarrowgateError
from core.live import set_loop
from gateway import https, service
from ledger import keys
from ledger.publishing.configured import destinations
from ledger.publishing.publisher import Publisher
from ledger.publishing.tile_files import TileFiles, tile_folder
from ledger.sequencer import Sequencer
from ledger.signer import Signer
from monitoring import detector

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DRAIN = 2  # seconds that open requests and sockets get
OPTIONS: dict[str, Any] = {"server_header": False, "proxy_headers": False, "timeout_graceful_shutdown": DRAIN}


@dataclass(frozen=True)
class Parts:
    """What has to run; `ready` is called in a thread of its own once all of it does, with the gateway's addresses."""

    console: list[socket.socket]
    door: list[socket.socket]
    postgres: list[socket.socket]
    ssh: list[socket.socket]
    identity: ServerIdentity
    signer: Signer
    ready: Callable[[Mapping[str, str]], None]


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: this process has several servers and one way to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `run`."""
        yield


async def run(parts: Parts) -> None:
    """Run everything until a signal, or until a part ends by itself. Raises NarrowgateError for the latter."""
    loop = asyncio.get_running_loop()
    set_loop(loop)
    asked = asyncio.Event()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, database.hang_up)  # last, when nobody asks any more
        writer = stack.enter_context(_sequencer(parts.signer))
        gate = await service.start(_gateway_config(parts))
        stack.push_async_callback(gate.stop)
        await stack.enter_async_context(_serving(_door_server(parts.identity, gate), parts.door))
        await stack.enter_async_context(_serving(_console_server(), parts.console))
        stack.enter_context(_thread("detector", detector.run))
        publisher = Publisher(destinations(), TileFiles(tile_folder()))
        stack.enter_context(_thread("publisher", publisher.run))
        jobs = await asyncio.to_thread(_jobs)  # it uses the ORM, which refuses to on a loop
        stack.push_async_callback(asyncio.to_thread, jobs.stop)
        ready = _in_thread(loop, parts.ready, gate.addresses)
        await _watch(asked, ready, writer)


def _in_thread(
    loop: asyncio.AbstractEventLoop, work: Callable[[Mapping[str, str]], None], addresses: Mapping[str, str]
) -> asyncio.Future[None]:
    """Run `work` in a thread that does not keep the process from ending."""
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def target() -> None:
        error: BaseException | None = None
        try:
            work(addresses)
        except Exception as caught:  # noqa: BLE001 -- handed to the loop, which ends the process with it
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has closed: we are stopping
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=target, name="ready", daemon=True).start()
    return done


async def _watch(asked: asyncio.Event, ready: asyncio.Future[None], writer: threading.Thread) -> None:
    """Wait for the signal; notice a failure to get ready, and a sequencer that died."""
    stop = asyncio.create_task(asked.wait())
    while not stop.done():
        waited: set[asyncio.Future[Any]] = {stop} if ready.done() else {stop, ready}
        await asyncio.wait(waited, timeout=1, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
        if not writer.is_alive():
            raise NarrowgateError("The ledger's sequencer has ended.", "See the log; the server stops with it.")


def _sequencer(signer: Signer) -> AbstractContextManager[threading.Thread]:
    """The ledger's writer; ended last, so that what the others recorded is in the log."""
    return _thread("sequencer", Sequencer(settings.DATABASE_SEQUENCER_URL, signer, keys.signer).run)


@contextlib.contextmanager
def _thread(name: str, work: Callable[[threading.Event], None]) -> Iterator[threading.Thread]:
    """Run `work` in a thread of its own until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(10)


@contextlib.asynccontextmanager
async def _serving(server: uvicorn.Server, sockets: list[socket.socket]) -> Any:  # noqa: ANN401 -- an async generator of nothing
    """Serve on `sockets` until the block ends."""
    task = asyncio.create_task(server.serve(sockets=sockets))
    while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn offers no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _console_server() -> Server:
    from console.asgi import application

    # h11 by name: it bounds the head of a request.
    return Server(uvicorn.Config(application, http="h11", lifespan="off", log_config=None, access_log=False, **OPTIONS))


def _door_server(identity: ServerIdentity, gate: service.Service) -> https.Server:
    from gateway.door import Door

    agents_ca = certificates.authority().bundle
    tls = https.context(identity.certificate, identity.key, identity.passphrase, agents_ca)
    return https.Server(Door(gate.ways), tls, gate.leave, **OPTIONS)


def _gateway_config(parts: Parts) -> service.Config:
    return service.Config(
        dsn=settings.DATABASE_GATEWAY_URL,
        console_url=settings.CONSOLE_URL,
        certificate=parts.identity.certificate,
        key=parts.identity.key,
        key_password=parts.identity.passphrase,
        agents_ca=certificates.authority().bundle,
        node=settings.NODE_NAME,
        sockets=tuple(parts.postgres),
        ssh_key=ssh_host.host_key(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE),
        ssh_sockets=tuple(parts.ssh),
    )


def _jobs() -> Jobs:
    from console.celery import app

    jobs = Jobs(app)
    jobs.start()
    return jobs
