"""Tokens a second from the gateway's HTTPS door, signing, the replay check, the row and the ledger's entry included.

Two gateways serve the door, one a core, each at a port of its own; clients go to them in turns, as a balancer sends them, and keep their
connections alive. Client assertions are signed before the clock runs: that is the agents' work. Each answer is checked to be a token.

    python bench/tokens.py --json [--quick]
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.printed import printed

LEAST_RATE = 400
MOST_P99_MS = 50.0
CLIENTS = 8


def forms(world: gateway_world.World, number: int) -> list[bytes]:
    """Requests, ready to send: each with an assertion of its own."""
    from urllib.parse import urlencode

    from joserfc import jwt

    from agents import keys, proof, tokens

    now, algorithm = int(time.time()), keys.algorithm_of(world.key)
    found = []
    for _ in range(number):
        claims = {
            "iss": gateway_world.AGENT, "sub": gateway_world.AGENT, "aud": tokens.token_endpoint(), "iat": now,
            "exp": now + 290, "jti": uuid.uuid4().hex,
        }  # fmt: skip
        header = {"alg": algorithm, "kid": keys.kid_of(world.key)}
        assertion = jwt.encode(header, claims, world.key, algorithms=[algorithm])
        form = {
            "grant_type": tokens.GRANT_TYPE, "resource": "shop", "client_assertion_type": proof.ASSERTION_TYPE,
            "client_assertion": assertion,
        }  # fmt: skip
        body = urlencode(form).encode()
        head = f"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(head.encode() + body)
    return found


async def ask(requests: list[bytes], ports: Sequence[int], ca: Path) -> tuple[float, list[float]]:
    """Send all of them over CLIENTS connections, to `ports` in turns; seconds that it took, and each one's milliseconds."""
    trusted, late = ssl.create_default_context(cafile=str(ca)), []

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=trusted)
        while requests:
            began = time.perf_counter()
            writer.write(requests.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            late.append((time.perf_counter() - began) * 1000)
            if b'"access_token"' not in body:
                raise SystemExit(f"the door refused: {body.decode()[:300]}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(port) for port in islice(cycle(ports), CLIENTS)))
    return time.perf_counter() - began, late


def door(port: int) -> None:
    """Serve the door at a port until told to stop."""
    import django
    import uvloop

    django.setup()
    from django.conf import settings

    from agents import ca, certificates
    from gateway import https
    from gateway.door import Door

    identity = ca.server_identity(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
    bundle = certificates.authority().bundle
    tls = https.context(identity.certificate, identity.key, identity.passphrase, bundle)
    uvloop.run(https.Server(Door(), tls).serve(sockets=[socket.create_server(("127.0.0.1", port), backlog=512)]))


def measure(quick: bool) -> list[dict[str, Any]]:
    """How many tokens a second, and how late the latest of a hundred is."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(gateway_world.running(folder))
        ports = [gateway_world.free_port() for _ in range(os.cpu_count() or 1)]
        for port in ports:
            stack.enter_context(gateway_world.process("door", port, "bench.tokens"))
            gateway_world.wait_for_port(port)
        asyncio.run(ask(forms(world, 100), ports, world.ca))  # warm
        seconds, late = asyncio.run(ask(forms(world, 1_000 if quick else 6_000), ports, world.ca))
    late.sort()
    rate, p99 = len(late) / seconds, late[int(len(late) * 0.99)]
    return [
        _figure("token_rate", "tokens/s", rate, f">= {LEAST_RATE}", holds=rate >= LEAST_RATE),
        _figure("token_p99_ms", "ms", p99, f"<= {MOST_P99_MS}", holds=p99 <= MOST_P99_MS),
    ]


def main() -> None:
    """Measure, and print."""
    printed("tokens", __doc__, measure)


def _figure(metric: str, unit: str, ours: float, mark: str, *, holds: bool) -> dict[str, Any]:
    return {
        "metric": metric, "case": f"{CLIENTS} clients", "unit": unit, "ours": round(ours, 3), "peers": {}, "ratio": None,
        "mark": mark, "holds": holds,
    }  # fmt: skip


if __name__ == "__main__":
    main()
