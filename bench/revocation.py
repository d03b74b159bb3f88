"""From a revocation to the end of what it revokes: live connections through two gateway processes, each asking all the time.

Every connection has a credential of its own. Each is revoked by the action that pages and API call; what counts is the time from before
that call until its client has seen the connection end. Statements that succeed meanwhile are counted by that too.

    python bench/revocation.py --json [--quick]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.printed import printed

CONNECTIONS = 200
PAUSE = 0.1
"""Seconds between the statements of one connection."""
MOST_P99_MS = 1_000.0
GATES = ("gate", "second gate")


async def connect(world: gateway_world.World, gate: str, token: str) -> psycopg.AsyncConnection[Any]:
    """A live connection through one of the gateways."""
    return await psycopg.AsyncConnection.connect(
        host="localhost", port=world.ports[gate], dbname="shop", user=gateway_world.AGENT, password=token,
        sslmode="verify-full", sslrootcert=str(world.ca), autocommit=True,
    )  # fmt: skip


async def ended(connection: psycopg.AsyncConnection[Any]) -> tuple[float, str]:
    """Ask until the connection ends; when that was, and why. A statement that is refused alone, as a busy gate may, ends nothing."""
    while True:
        try:
            await connection.execute("SELECT abalance FROM pgbench_accounts WHERE aid = 1")
        except psycopg.OperationalError as error:
            if connection.closed:
                return time.perf_counter(), str(error).partition("\n")[0]
        await asyncio.sleep(PAUSE)


async def measure(world: gateway_world.World, number: int) -> list[float]:
    """Milliseconds from each revocation to the end of its connection, in order."""
    from agents.access import Identity
    from agents.tokens import read

    tokens: list[str] = [await asyncio.to_thread(world.token) for _ in range(number)]
    identities: list[Identity] = [read(token) for token in tokens]
    watching = []
    for index, token in enumerate(tokens):
        watching.append(asyncio.create_task(ended(await connect(world, GATES[index % 2], token))))
    await asyncio.sleep(1)
    began = []
    for identity in identities:
        began.append(time.perf_counter())
        await asyncio.to_thread(_revoke, identity.credential)
        await asyncio.sleep(0.02)
    async with asyncio.timeout(30):
        ends = await asyncio.gather(*watching)
    early = [why for start, (end, why) in zip(began, ends, strict=True) if end < start]
    if early:
        raise SystemExit(f"{len(early)} connections ended before they were revoked: {early[0]}")
    return sorted((end - start) * 1000 for start, (end, _) in zip(began, ends, strict=True))


def _revoke(credential: Any) -> None:  # noqa: ANN401 -- its identifier
    from agents import actions
    from ledger.entries import Actor

    actions.revoke_credential(credential, actor=Actor(kind="system", id="bench", name="bench"), reason="Measured.")


def revoked(quick: bool) -> list[dict[str, Any]]:
    """How late the last refused action is, over two gateways."""
    number = 40 if quick else CONNECTIONS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(gateway_world.running(folder))
        world.ports[GATES[1]] = port = gateway_world.free_port()
        stack.enter_context(gateway_world.process("gateway", port))
        gateway_world.wait_for_port(port)
        late = asyncio.run(measure(world, number))
    p99 = late[int(len(late) * 0.99)]
    figures = [_figure("revoke_p50_ms", number, late[len(late) // 2]), _figure("revoke_p99_ms", number, p99)]
    figures[1] |= {"mark": f"<= {MOST_P99_MS}", "holds": p99 <= MOST_P99_MS}
    return figures


def main() -> None:
    """Measure, and print."""
    printed("revocation", __doc__, revoked)


def _figure(metric: str, number: int, ours: float) -> dict[str, Any]:
    return {
        "metric": metric, "case": f"{number} connections, 2 gateways", "unit": "ms", "ours": round(ours, 1), "peers": {},
        "ratio": None, "mark": None, "holds": None,
    }  # fmt: skip


if __name__ == "__main__":
    main()
