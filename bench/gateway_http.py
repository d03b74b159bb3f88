"""Requests to an API through the gate, beside direct, beside nginx and beside mitmproxy, in one run.

Every request through the gate is identified, understood by the API's description, decided, and recorded in the ledger before it goes up;
its answer is looked through by the detectors that act by default. nginx and mitmproxy (in reverse mode) pass it on. All three have TLS
towards the client and keep connections on both sides; the API is an nginx of its own with one short answer in JSON, the same for all.
wrk asks, one request after another on each connection.

    python bench/gateway_http.py --json [--quick]

nginx and wrk are Debian's (nginx-light, wrk); mitmproxy is installed for the run alone, in a virtual environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.compared import installed
from bench.printed import printed

CASES = (1, 8, 32)
ROUNDS = 3
GATE, NGINX, MITM, DIRECT = "gate", "nginx", "mitmproxy", "direct"
LEAST = 2_000
"""Requests a second of the gate at the last of CASES, on two cores."""
IDLE = 1_000
MOST_MB = 300
NAME = "api"
PATH = "/customers/7"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Bench", "version": "1"},
    "paths": {"/customers/{id}": {"get": {"operationId": "getCustomer", "parameters": [{"name": "id", "in": "path"}]}}},
}
ANSWER = json.dumps({"id": 7, "name": "Ann Example", "city": "Bonn", "orders": [11, 12, 13], "open": True})
CONFIG = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/json; keepalive_requests 100000000; server_tokens off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {inside}
}}
"""
API = "server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{answer}'; }} }}"
PROXY = """
  upstream api {{ server 127.0.0.1:{up}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


@dataclass
class Sample:
    """What one run of wrk measured: requests a second, and the median latency in milliseconds."""

    rate: float
    p50: float


@dataclass(frozen=True)
class Peer:
    """Where requests go."""

    address: str
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request says beside its line."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def wrk(peer: Peer, clients: int, seconds: float) -> Sample:
    """Let `clients` ask one request after another. Raises SystemExit where any was not answered well."""
    headers = [part for name, value in peer.headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t", "1", "-c", str(clients), "-d", f"{max(1, round(seconds))}s", "--latency", *headers]
    done = subprocess.run([*command, peer.address], capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    p50 = re.search(r"50%\s+([0-9.]+)(us|ms|s)", done.stdout)
    if rate is None or p50 is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"wrk at {peer.address} failed:\n{done.stdout}{done.stderr}")
    return Sample(float(rate[1]), float(p50[1]) * _UNITS[p50[2]])


def measure(peers: dict[str, Peer], seconds: float) -> dict[tuple[str, int], list[Sample]]:
    """Samples of every peer and case, in turns, so that a slow moment of the machine hits all alike."""
    samples: dict[tuple[str, int], list[Sample]] = {}
    for peer in peers.values():
        wrk(peer, 8, 1)  # warm
    for _ in range(ROUNDS):
        for clients in CASES:
            for name, peer in peers.items():
                samples.setdefault((name, clients), []).append(wrk(peer, clients, seconds))
    return samples


def figures(samples: dict[tuple[str, int], list[Sample]]) -> list[dict[str, Any]]:
    """Medians, as the design's contract has them."""
    found = []
    names = (GATE, NGINX, MITM, DIRECT)
    for clients in CASES:
        rates = {name: statistics.median(one.rate for one in samples[name, clients]) for name in names}
        late = {name: statistics.median(one.p50 for one in samples[name, clients]) for name in names}
        rates_figure = _figure("throughput", clients, "requests/s", rates)
        if clients == CASES[-1]:
            rates_figure |= {"mark": f">= {LEAST}, ahead of {MITM}"}
            rates_figure |= {"holds": rates[GATE] >= LEAST and rates[GATE] > rates[MITM]}
        added = {name: late[name] - late[DIRECT] for name in names if name != DIRECT}
        found += [rates_figure, _figure("added_p50_ms", clients, "ms over direct", added)]
    return found


def _figure(metric: str, clients: int, unit: str, values: dict[str, float]) -> dict[str, Any]:
    ours, peers = values[GATE], {name: value for name, value in values.items() if name != GATE}
    return {
        "metric": metric,
        "case": f"{clients} client{'s' if clients > 1 else ''}",
        "unit": unit,
        "ours": round(ours, 3),
        "peers": {name: round(value, 3) for name, value in peers.items()},
        "ratio": round(ours / peers[MITM], 3) if peers[MITM] else None,
        "ratios": {name: round(ours / value, 3) for name, value in peers.items() if value},
        "mark": None,
        "holds": None,
    }


# ---- what idle connections take ----
def idle(process: int, peer: Peer, tls: ssl.SSLContext) -> dict[str, Any]:
    """The gate's memory with IDLE connections that have asked something and are kept."""
    before = _resident(process)
    with_them = asyncio.run(_kept_open(process, peer, tls))
    return {
        "metric": "idle_mb",
        "case": f"{IDLE} connections",
        "unit": "MB resident",
        "ours": round(with_them, 1),
        "peers": {},
        "each_kb": round((with_them - before) * 1_024 / IDLE, 1),
        "ratio": None,
        "mark": f"<= {MOST_MB}",
        "holds": with_them <= MOST_MB,
    }


async def _kept_open(process: int, peer: Peer, tls: ssl.SSLContext) -> float:
    url = urlsplit(peer.address)
    head = "".join([f"{name}: {value}\r\n" for name, value in {"Host": url.netloc, **peer.headers}.items()])
    kept = []
    for _ in range(IDLE):
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls)
        writer.write(f"GET {url.path} HTTP/1.1\r\n{head}\r\n".encode())
        if b" 200 " not in await reader.readline():
            raise SystemExit("The gate refuses a connection.")
        kept.append((reader, writer))
    found = _resident(process)
    still = sum(not reader.at_eof() for reader, _ in kept)
    for _, writer in kept:
        writer.transport.abort()
    if still < IDLE:
        raise SystemExit(f"The gate kept {still} of {IDLE} connections.")
    return found


def _resident(process: int) -> float:
    """The memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1_024


# ---- what is measured ----
@contextmanager
def nginx(name: str, port: int, inside: str, folder: Path) -> Iterator[None]:
    """An nginx with one worker."""
    config = folder / f"{name}.conf"
    config.write_text(CONFIG.format(folder=folder, name=name, inside=inside))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    try:
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(config), "-e", "stderr"])
    except FileNotFoundError:
        raise SystemExit("nginx to compare with is not installed: Debian's package is nginx-light.") from None
    try:
        gateway_world.wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def mitmproxy(up: int, folder: Path) -> Iterator[int]:
    """Mitmproxy in reverse mode before the same API."""
    port, python = gateway_world.free_port(), installed(MITM, folder)
    command = [str(Path(python).with_name("mitmdump")), "-q", "--mode", f"reverse:http://127.0.0.1:{up}"]
    command += ["--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={folder / 'mitm'}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        gateway_world.wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _put_behind(port: int) -> None:
    """The API behind the gate; the world's policy permits to read it."""
    from accounts.models import Role, User
    from agents import actions as inventory
    from agents.api_actions import describe_api
    from agents.models import Segment

    engineer = User.objects.get(roles__contains=[Role.ENGINEER])
    segment = Segment.objects.get(name="production")
    api = inventory.add_resource(
        NAME, kind="http", segment=segment, host="127.0.0.1", port=port, path="/", tls="off", connections=100, actor=engineer,
    )  # fmt: skip
    describe_api(api.id, document=json.dumps(DOCUMENT), actor=engineer)


def _wait_until_known(peer: Peer, tls: ssl.SSLContext) -> None:
    """Return once the gate passes requests on. Raises SystemExit after half a minute."""
    deadline = time.monotonic() + 30
    while True:
        answer = httpx.get(peer.address, headers=peer.headers, verify=tls)
        if answer.text == ANSWER:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"The gate answers {answer.text}")
        time.sleep(0.1)


def compared(quick: bool) -> list[dict[str, Any]]:
    """The figures of ours and of the peers, in one run."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk, which asks, is not installed: it is a Debian package.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(gateway_world.running(folder))
        up, proxy, port = (gateway_world.free_port() for _ in range(3))
        stack.enter_context(nginx("api", up, API.format(port=up, answer=ANSWER), folder))
        inside = PROXY.format(up=up, port=proxy, certificate=world.certificate, key=world.plain_key)
        stack.enter_context(nginx("proxy", proxy, inside, folder))
        mitm = stack.enter_context(mitmproxy(up, folder))
        door = stack.enter_context(gateway_world.process("door", port))
        gateway_world.wait_for_port(port)
        _put_behind(up)
        peers = {
            DIRECT: Peer(f"http://127.0.0.1:{up}{PATH}"),
            NGINX: Peer(f"https://localhost:{proxy}{PATH}"),
            MITM: Peer(f"https://localhost:{mitm}{PATH}"),
            GATE: Peer(f"https://localhost:{port}/http/{NAME}{PATH}", world.token(NAME)),
        }
        tls = ssl.create_default_context(cafile=str(world.ca))
        _wait_until_known(peers[GATE], tls)
        return [*figures(measure(peers, 1 if quick else 5)), idle(door, peers[GATE], tls)]


def main() -> None:
    """Measure, and print."""
    printed("gateway_http", __doc__, compared)


if __name__ == "__main__":
    main()
