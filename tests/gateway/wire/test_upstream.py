"""The gate's own sign-in at a resource: who cannot prove that it knows the password is not the resource."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agents import ca
from core.ids import new_id
from gateway.postgres import messages
from gateway.postgres.fetching import FetchError, Fetching
from gateway.postgres.upstream import Target, UpstreamError, connect
from tests.databases import TestCluster
from tests.gateway.wire.world import shop

Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SASL = messages.message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\x00\x00")


def _target(port: int, **changed: object) -> Target:
    values = {
        "resource_id": new_id(),
        "host": "127.0.0.1",
        "port": port,
        "database": "shop",
        "user": "u",
        "password": "p",
        "tls": False,
    }
    return Target(**{**values, **changed})  # type: ignore[arg-type]  # a test's own values


async def _against(serve: Streams, **changed: object) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        await connect(_target(server.sockets[0].getsockname()[1], **changed))


@pytest.mark.parametrize(
    "answer",
    [
        messages.AUTHENTICATION_OK + messages.ready_for_query(b"I"),
        messages.CLEARTEXT_PASSWORD,
        messages.message(b"R", struct.pack("!I", 5) + b"salt"),
        messages.message(b"R", struct.pack("!I", 10) + b"SCRAM-MD5\x00\x00"),
        messages.error_response("28P01", "no"),
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_whoever_does_not_speak_scram_gets_no_password(answer: bytes) -> None:
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1000))
        writer.write(answer)
        await writer.drain()
        if answer:
            seen.append(await reader.read(1000))

    with pytest.raises(UpstreamError):
        asyncio.run(_against(serve))
    assert b"".join(seen[1:]) == b""


@pytest.mark.parametrize("after", ["first", "final"])
def test_authenticated_before_the_last_proof_is_refused(after: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(SASL)
        first = await reader.read(1000)
        if after == "final":
            nonce = first.rpartition(b"r=")[2]
            challenge = b"r=" + nonce + b"abc,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096"
            writer.write(messages.message(b"R", struct.pack("!I", 11) + challenge))
            await reader.read(1000)
        writer.write(messages.AUTHENTICATION_OK + messages.ready_for_query(b"I"))
        await writer.drain()
        await reader.read(1000)

    with pytest.raises(UpstreamError, match="broke off"):
        asyncio.run(_against(serve))


def test_a_resource_without_tls_is_refused_where_tls_is_wanted() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"N")
        await writer.drain()
        assert await reader.read(1000) == b""

    with pytest.raises(UpstreamError, match="does not speak TLS"):
        asyncio.run(_against(serve, tls=True))


def test_a_certificate_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    ours, theirs = (ca.server_identity(tmp_path / name, "tests") for name in ("ours", "theirs"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"S")
        await writer.drain()
        try:
            await writer.start_tls(theirs.context())
        except (OSError, ssl.SSLError):
            return

    with pytest.raises(UpstreamError, match="cannot be reached"):
        asyncio.run(_against(serve, tls=True, ca=ours.ca.read_text()))


def test_over_tls_it_speaks_only_inside(tmp_path: Path) -> None:
    identity = ca.server_identity(tmp_path, "tests")
    seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1000))
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(identity.context())
        seen.append(await reader.read(1000))
        writer.write(messages.AUTHENTICATION_OK)
        await writer.drain()

    with pytest.raises(UpstreamError, match="does not ask for SCRAM"):
        asyncio.run(_against(serve, tls=True, ca=identity.ca.read_text()))
    assert seen[0] == messages.ssl_request()
    assert b"search_path" in seen[1]


def test_a_real_server_pins_what_decides_meaning(cluster: TestCluster, worker: str) -> None:
    async def ask(target: Target) -> list[tuple[str | None, ...]]:
        connection = await Fetching.open(target)
        try:
            await connection.fetch("RESET ALL")
            with pytest.raises(FetchError):
                await connection.fetch("SELECT 1 / 0")
            return await connection.fetch(
                "SELECT current_setting('search_path'), current_setting('standard_conforming_strings'), current_user"
            )
        finally:
            connection.close()

    with shop(cluster, f"pinned_{worker}"):
        where = {
            "host": cluster.socket_folder,
            "database": f"pinned_{worker}",
            "user": "shop_gate",
            "password": "shop_gate",
        }
        assert asyncio.run(ask(_target(5432, **where, search_path="public, pg_temp"))) == [
            ("public, pg_temp", "on", "shop_gate")
        ]
        with pytest.raises(UpstreamError, match="does not let the gate in"):
            asyncio.run(connect(_target(5432, **{**where, "password": "wrong"})))
