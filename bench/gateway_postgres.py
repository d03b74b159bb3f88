"""pgbench -S through the gate, beside direct and beside pgbouncer, in one run.

Every statement through the gate is read, decided and recorded in the ledger by the same code as always. That code
remembers: pgbench's texts differ only in a number that a column is compared with, so all but the first are recognised
(`gateway/postgres/remembered.py`) and not parsed again, and Cedar's answer to the same question is kept with the
snapshot. Nothing of the record is remembered: each statement has its own rows. The gate and pgbouncer have TLS towards
the client, direct goes over the unix socket; the resource is the same for all three, one upstream connection a client.
The gateway and the ledger's sequencer are processes of their own, as in production.

    python bench/gateway_postgres.py --json [--quick]
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.printed import printed

CASES = (1, 8, 32)
ROUNDS = 3
GATE, BOUNCER, DIRECT = "gate", "pgbouncer", "direct"
LEAST_SHARE = 0.25
MOST_ADDED = 3.0


@dataclass
class Sample:
    """What one run of pgbench measured: transactions a second, and the latency of each in milliseconds."""

    tps: float
    latencies: list[float] = field(repr=False)

    def quantile(self, share: float) -> float:
        """The latency that `share` of the transactions stay below."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def pgbench(world: gateway_world.World, peer: str, clients: int, seconds: float, folder: Path) -> Sample:
    """Run pgbench -S once. Raises CalledProcessError when a client is refused or fails."""
    prefix = folder / f"{peer}-{clients}"
    threads = min(clients, 2)
    command = [
        "pgbench",
        "-S",
        "-n",
        "-c",
        str(clients),
        "-j",
        str(threads),
        "-T",
        str(max(1, round(seconds))),
        "-l",
        f"--log-prefix={prefix}",
    ]
    done = subprocess.run(command, env=world.environment(peer), capture_output=True, text=True, check=False)
    if done.returncode or "tps" not in done.stdout:
        raise SystemExit(f"pgbench through {peer} failed:\n{done.stdout}{done.stderr}")
    tps = float(re.findall(r"tps = ([0-9.]+)", done.stdout)[-1])
    latencies = []
    for log in folder.glob(f"{prefix.name}.*"):
        latencies += [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]
        log.unlink()
    return Sample(tps, latencies)


def measure(world: gateway_world.World, seconds: float, folder: Path) -> dict[tuple[str, int], list[Sample]]:
    """Samples of every peer and case, in turns, so that a slow moment of the machine hits all alike."""
    samples: dict[tuple[str, int], list[Sample]] = {}
    for peer in (DIRECT, BOUNCER, GATE):
        pgbench(world, peer, 8, 1, folder)  # warm
    for _ in range(ROUNDS):
        for clients in CASES:  # many clients need a moment to sign in
            for peer in (DIRECT, BOUNCER, GATE):
                samples.setdefault((peer, clients), []).append(
                    pgbench(world, peer, clients, max(seconds, clients // 16), folder)
                )
    return samples


def figures(samples: dict[tuple[str, int], list[Sample]]) -> list[dict[str, Any]]:
    """Medians, as the design's contract has them."""
    found = []
    for clients in CASES:
        tps = {peer: statistics.median(one.tps for one in samples[peer, clients]) for peer in (GATE, BOUNCER, DIRECT)}
        found.append(
            _figure("throughput", clients, "transactions/s", tps[GATE], {BOUNCER: tps[BOUNCER], DIRECT: tps[DIRECT]})
        )
        for metric, share in (("added_p50_ms", 0.5), ("added_p99_ms", 0.99)):
            late = {
                peer: statistics.median(one.quantile(share) for one in samples[peer, clients])
                for peer in (GATE, BOUNCER, DIRECT)
            }
            added = {peer: late[peer] - late[DIRECT] for peer in (GATE, BOUNCER)}
            found.append(_figure(metric, clients, "ms over direct", added[GATE], {BOUNCER: added[BOUNCER]}))
    return found


def _figure(metric: str, clients: int, unit: str, ours: float, peers: dict[str, float]) -> dict[str, Any]:
    figure: dict[str, Any] = {
        "metric": metric,
        "case": f"{clients} client{'s' if clients > 1 else ''}",
        "unit": unit,
        "ours": round(ours, 3),
        "peers": {name: round(value, 3) for name, value in peers.items()},
        "ratio": round(ours / peers[BOUNCER], 3) if peers[BOUNCER] else None,
        "mark": None,
        "holds": None,
    }
    if (metric, clients) == ("throughput", 32):
        figure |= {"mark": f">= {LEAST_SHARE}", "holds": figure["ratio"] >= LEAST_SHARE}
    if (metric, clients) == ("added_p50_ms", 1):
        figure |= {"mark": f"<= {MOST_ADDED}", "holds": ours <= MOST_ADDED}
    return figure


@contextmanager
def pgbouncer(world: gateway_world.World, folder: Path) -> Iterator[int]:
    """Run pgbouncer before the same resource, with TLS towards the client and one server connection a client."""
    port = gateway_world.free_port()
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{gateway_world.LOGIN}" "{gateway_world.PASSWORD}"\n')
    config.write_text(
        f"[databases]\nshop = host={world.sockets} port=5432 dbname=shop\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = session\ndefault_pool_size = 100\nmax_client_conn = 200\n"
        f"client_tls_sslmode = require\nclient_tls_cert_file = {world.certificate}\nclient_tls_key_file = {world.plain_key}\n"
    )
    command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-q", str(config)]
    command += ["-u", world.account] if world.account else []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        gateway_world.wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def compared(quick: bool) -> list[dict[str, Any]]:
    """The figures of ours and of the peers, in one run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(gateway_world.running(folder))
        world.ports[BOUNCER] = stack.enter_context(pgbouncer(world, folder))
        return figures(measure(world, 1 if quick else 5, folder))


def main() -> None:
    """Measure, and print."""
    printed("gateway_postgres", __doc__, compared)


if __name__ == "__main__":
    main()
