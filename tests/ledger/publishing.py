"""What the tests of publishing share: a server that answers as told, a log that grows, publishers that take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection

from console.database import Logins
from ledger import queries
from ledger.models import Outbox
from ledger.publishing import configured
from ledger.publishing.destinations import Destination
from ledger.publishing.publisher import Publisher
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.ledger.conftest import running, sequenced, wait_until, write_entries

Answering = Callable[[str, bytes], tuple[int, str, bytes]]  # of path and body: status, media type, body


@contextmanager
def answering(answer: Answering) -> Iterator[str]:
    """An HTTP server that answers each POST so; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, body = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def log(fresh_database: Logins, signer: FileSigner) -> Iterator[FileSigner]:
    """A log of 10 entries (after those of the cast, where a test has one) that grows when more are written."""
    with running(Sequencer(fresh_database.sequencer, signer)):
        write_entries(10)
        sequenced(Outbox.objects.count())
        yield signer


@pytest.fixture
def grow() -> Callable[[int], None]:
    def to(size: int) -> None:
        write_entries(size - queries.state().size)
        sequenced(size)

    return to


def turned(publisher: Publisher, so: Callable[[], bool]) -> bool:
    publisher.turn()
    return so()


def publish(publisher: Publisher, *, until: Callable[[], bool]) -> None:
    """Take turns until something is so."""

    wait_until(partial(turned, publisher, until))
    while publisher._busy:  # what is on its way comes to its end
        publisher.turn()
        time.sleep(0.01)


@pytest.fixture
def publisher() -> Iterator[Callable[..., Publisher]]:
    """Makes publishers, and ends their threads."""
    made: list[Publisher] = []

    def make(*destinations: Destination) -> Publisher:
        made.append(Publisher(destinations or configured.destinations()))
        return made[-1]

    yield make
    for one in made:
        one._pool.shutdown()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock_all()")


def always(answer: tuple[int, str, bytes], *_: object) -> tuple[int, str, bytes]:
    return answer
