"""Connections to an API: which are kept, which are not, and what a lost one means. The API is a real socket that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agents import ca
from agents.ca import ServerIdentity
from gateway.http import pool as pools
from gateway.http import reaching
from gateway.http.connection import MOST_WAITING, Sending, head
from gateway.http.lost import Elsewhere, Late, Lost, Unreached
from gateway.http.pool import Pool
from gateway.http.reaching import Way

Serve = Callable[["Peer"], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = Sending("GET", head("GET", "/", [("Host", "api")]))
WITHIN = 20.0


class Peer:
    """The API's side of one connection."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number, self._reader, self._writer = number, reader, writer

    async def heard(self) -> bytes:
        """The next head."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def gone(self) -> None:
        """Return once the gate has ended the connection."""
        await self._reader.read()

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def said(self) -> None:
        await self._writer.drain()

    def leave(self) -> None:
        self._writer.close()


@asynccontextmanager
async def api(
    serve: Serve, most: int = 1, *, host: str = "127.0.0.1", identity: ServerIdentity | None = None, own_ca: str = ""
) -> AsyncIterator[Pool]:
    """A pool of connections to an API that serves each as it is told."""
    count = 0
    served: list[asyncio.Task[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        served.append(asyncio.ensure_future(serve(Peer(count, reader, writer))))
        try:
            await served[-1]
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=identity.context() if identity else None)
    pool = Way(host, server.sockets[0].getsockname()[1], identity is not None, own_ca, most).pool()
    try:
        async with asyncio.timeout(WITHIN):
            yield pool
    finally:
        pool.close()
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def whole(pool: Pool, asked: Sending = GET, silent_for: float = WITHIN) -> bytes:
    with await pool.ask(asked, silent_for=silent_for) as answer:
        return b"".join([piece async for piece in answer.body()])


async def until(so: Callable[[], bool]) -> None:
    while not so():  # noqa: ASYNC110 -- nobody tells of it
        await asyncio.sleep(0)


async def always(peer: Peer) -> None:
    """Answer with the connection's number, again and again."""
    while True:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % peer.number)


def test_a_connection_is_used_again() -> None:
    async def run() -> None:
        async with api(always) as pool:
            assert [await whole(pool) for _ in range(3)] == [b"1"] * 3

    asyncio.run(run())


@pytest.mark.parametrize(
    "says",
    [
        ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ANSWER + b"garbage",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_connection_that_says_more_than_was_asked_is_not_used_again(says: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(says)
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            assert [await whole(pool) for _ in range(3)] == [b"ok"] * 3

    asyncio.run(run())


def test_what_an_unused_connection_says_is_no_answer_to_the_next_request() -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(ANSWER)
        await peer.said()
        if peer.number == 1:
            unasked.set()
            peer.say(ANSWER.replace(b"ok", b"no"))
        await peer.gone()
        over.set()

    unasked, over = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with api(serve) as pool:
            assert await whole(pool) == b"ok"
            await over.wait()
            assert await whole(pool) == b"ok"

    asyncio.run(run())


def test_a_connection_that_was_ended_meanwhile_is_not_used() -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % peer.number)
        await peer.said()

    async def run() -> None:
        async with api(serve) as pool:
            assert await whole(pool) == b"1"
            await until(lambda: not pool._unused)
            assert await whole(pool) == b"2"

    asyncio.run(run())


def test_an_unused_connection_is_ended_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "KEPT", 0.05)
    gone = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(ANSWER)
        await peer.gone()
        gone.set()

    async def run() -> None:
        async with api(serve) as pool:
            await whole(pool)
            await gone.wait()
            assert await whole(pool) == b"ok"

    asyncio.run(run())


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", b"nonsense\r\n\r\n"]
)
def test_half_an_answer_is_lost(says: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(says)
        await peer.said()

    async def run() -> None:
        async with api(serve) as pool:
            with pytest.raises(Lost):
                await whole(pool)
            with pytest.raises(Lost):  # and its place is free again
                await whole(pool)

    asyncio.run(run())


def test_an_answer_may_end_with_its_connection() -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        await peer.said()
        peer.leave()

    async def run() -> None:
        async with api(serve) as pool:
            assert await whole(pool) == b"until the end"

    asyncio.run(run())


def test_who_says_nothing_is_late() -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" if peer.number == 1 else b"")
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            for _ in range(2):
                with pytest.raises(Late):
                    await whole(pool, silent_for=0.05)

    asyncio.run(run())


def test_who_takes_nothing_is_late() -> None:
    async def serve(peer: Peer) -> None:
        await asyncio.sleep(WITHIN)

    async def run() -> None:
        async with api(serve) as pool:
            with pytest.raises(Late):
                await whole(pool, Sending("POST", GET.data, _pieces([b"x" * 1_000_000] * 100)), silent_for=0.05)

    asyncio.run(run())


def test_a_slow_reader_holds_the_api_back_and_not_the_memory() -> None:
    pieces, size = 64, 65_536

    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * size))
        for _ in range(pieces):
            peer.say(b"x" * size)
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            with await pool.ask(GET, silent_for=WITHIN) as answer:
                await until(lambda: answer._connection._is_held_back)
                assert answer._reader.waiting < MOST_WAITING + 2 * 262_144  # and what came in one piece with it
                assert sum([len(piece) async for piece in answer.body()]) == pieces * size

    asyncio.run(run())


def test_a_body_follows_as_it_comes() -> None:
    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + await peer.read(6))
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            assert await whole(pool, Sending("POST", GET.data, _pieces([b"ab", b"cd", b"ef"]))) == b"abcdef"

    asyncio.run(run())


def test_an_early_answer_ends_a_body_that_is_still_on_its_way() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            stopped.set()

    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(ANSWER if peer.number > 1 else b"HTTP/1.1 413 Too Long\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            with await pool.ask(Sending("POST", GET.data, endless()), silent_for=WITHIN) as answer:
                assert answer.status == 413
            await stopped.wait()
            assert await whole(pool) == b"ok"  # over another connection

    asyncio.run(run())


def test_a_body_that_breaks_off_ends_the_request() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("the client left")

    async def serve(peer: Peer) -> None:
        await peer.heard()
        await peer.gone()

    async def run() -> None:
        async with api(serve) as pool:
            with pytest.raises(LookupError, match="the client left"):
                await whole(pool, Sending("POST", GET.data, broken()))

    asyncio.run(run())


# ---- how many ----
def test_no_more_connections_than_an_api_may_have_and_each_in_turn() -> None:
    async def run() -> None:
        async with api(always, most=2) as pool:
            got = await asyncio.gather(*[whole(pool) for _ in range(9)])
            assert set(got) == {b"1", b"2"}

    asyncio.run(run())


def test_who_waits_too_long_for_a_connection_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "FREE_WITHIN", 0.05)

    async def run() -> None:
        async with api(always) as pool:
            with await pool.ask(GET, silent_for=WITHIN), pytest.raises(Unreached, match="in use"):
                await whole(pool)
            assert await whole(pool)

    asyncio.run(run())


def test_who_leaves_while_waiting_or_asking_leaves_a_place() -> None:
    async def run() -> None:
        async with api(always) as pool:
            for turns in range(12):
                with await pool.ask(GET, silent_for=WITHIN):
                    leaving = asyncio.ensure_future(whole(pool))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                for _ in range(turns // 2):
                    await asyncio.sleep(0)
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
                assert await whole(pool)

    asyncio.run(run())


# ---- where to ----
@pytest.mark.parametrize(
    ("host", "error"),
    [("nobody.invalid", Unreached), ("169.254.169.254", Elsewhere), ("localtest.example", Unreached)],
)
def test_an_address_is_looked_at_before_it_is_connected_to(host: str, error: type[Lost]) -> None:
    async def run() -> None:
        with pytest.raises(error):
            await whole(Way(host, 1, False, "", 1).pool())

    asyncio.run(run())


def test_an_address_that_says_nothing_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "CONNECT_WITHIN", 1.0)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def found(*_given: Any, **_more: Any) -> list[Any]:
            return [(10, 1, 6, "", ("::1", 80, 0, 0)), (2, 1, 6, "", ("127.0.0.1", 80))]

        async def connecting(made: Any, address: str, port: int, **more: Any) -> Any:
            if address == "::1":
                await asyncio.Event().wait()
            return await connect(made, address, port, **more)

        async with api(always, host="localhost") as pool:
            monkeypatch.setattr(loop, "getaddrinfo", found)
            monkeypatch.setattr(loop, "create_connection", connecting)
            assert await whole(pool) == b"1"

    asyncio.run(run())


def test_a_name_that_leads_to_a_private_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async def found(*_given: Any, **_more: Any) -> list[Any]:
            return [(2, 1, 6, "", ("127.0.0.1", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        with pytest.raises(Elsewhere):
            await whole(Way("api.example.com", 80, False, "", 1).pool())

    asyncio.run(run())


# ---- TLS, by the loop that the gateway runs on ----
def test_an_api_with_its_networks_own_certificate_is_reached_by_its_name_alone(tmp_path: Path) -> None:
    identity = ca.server_identity(tmp_path, "tests")

    async def run() -> None:
        for host in ("localhost", "127.0.0.1"):
            async with api(always, identity=identity, host=host, own_ca=identity.ca.read_text()) as pool:
                assert [await whole(pool) for _ in range(2)] == [b"1"] * 2
        identity_of = ca.server_identity(tmp_path / "other", "tests", ["api.example"])
        async with api(always, identity=identity_of, own_ca=identity_of.ca.read_text()) as pool:
            with pytest.raises(Unreached):
                await whole(pool)

    uvloop.run(run())


def test_a_certificate_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    ours, theirs = (ca.server_identity(tmp_path / name, "tests") for name in ("ours", "theirs"))

    async def run() -> None:
        for own_ca in (ours.ca.read_text(), ""):
            async with api(always, identity=theirs, own_ca=own_ca) as pool:
                with pytest.raises(Unreached):
                    await whole(pool)

    uvloop.run(run())


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_an_answer_over_tls_ends_with_its_connection_where_that_is_ended_on_purpose(
    tmp_path: Path, says_goodbye: bool
) -> None:
    identity = ca.server_identity(tmp_path, "tests")

    async def serve(peer: Peer) -> None:
        await peer.heard()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nas far as this")
        await peer.said()
        if says_goodbye:
            peer.leave()
            await peer.gone()

    async def run() -> None:
        async with api(serve, identity=identity, own_ca=identity.ca.read_text()) as pool:
            if says_goodbye:
                assert await whole(pool) == b"as far as this"
            else:  # whoever cuts the connection could cut the answer
                with pytest.raises(Lost):
                    await whole(pool)

    uvloop.run(run())


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "a\0b"])
def test_a_header_says_one_thing(value: str) -> None:
    with pytest.raises(Unreached):
        head("GET", "/", [("X-Key", value)])


async def _pieces(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
