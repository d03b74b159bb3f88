"""PostgreSQL of our own: private, gone when we are gone, clear about what is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console import embedded
from console.embedded import Cluster
from console.postgres_home import find
from core.errors import NarrowgateError

pytestmark = pytest.mark.process

KEEPER = """
import sys, time
from pathlib import Path
from console import embedded
cluster = embedded.start(Path(sys.argv[1]), "x", durable=False)
print(cluster.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder that the server's account can reach; pytest's own are for their owner alone."""
    path = Path(tempfile.mkdtemp(prefix="narrowgate-tests-"))
    path.chmod(0o755)
    yield path
    embedded.destroy(path, "x")
    shutil.rmtree(path)


@pytest.fixture
def running(state: Path) -> Iterator[Cluster]:
    cluster = embedded.start(state, "x", durable=False)
    yield cluster
    cluster.stop()


def keeper(state: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that keeps a server; and the server's process."""
    process = subprocess.Popen([sys.executable, "-c", KEEPER, str(state)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def ends(pid: int, within: float = 10) -> bool:
    """Whether the process ends in time; a zombie has ended."""
    give_up = time.monotonic() + within
    while time.monotonic() < give_up:
        try:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return True
        if words[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_it_starts_stops_and_keeps_what_it_held(state: Path) -> None:
    first = embedded.start(state, "x", durable=False)
    with psycopg.connect(first.admin_dsn(), autocommit=True) as admin:
        assert admin.info.server_version // 10000 == 18
        admin.execute("CREATE TABLE kept AS SELECT 1 AS one")
    folder = first.socket_folder
    first.stop()
    first.stop()
    assert ends(first.process.pid, 1)
    second = embedded.start(state, "x", durable=False)
    with psycopg.connect(second.admin_dsn()) as admin:
        assert admin.execute("TABLE kept").fetchone() == (1,)
    assert second.socket_folder == folder
    second.stop()


def test_it_listens_on_its_socket_alone(running: Cluster) -> None:
    with psycopg.connect(running.admin_dsn()) as admin:
        assert admin.execute("SHOW listen_addresses").fetchone() == ("",)
        assert admin.execute("SHOW unix_socket_directories").fetchone() == (str(running.socket_folder),)
    assert stat.S_IMODE(running.socket_folder.stat().st_mode) == 0o700


def test_every_login_needs_its_password(running: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(running.dsn(embedded.SUPERUSER, "guess", "postgres"))
    with psycopg.connect(running.admin_dsn()) as admin:
        methods = admin.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_its_password_is_for_the_owner_of_the_state_folder_alone(running: Cluster, state: Path) -> None:
    path = state / "clusters" / "x.password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert running.password not in repr(running)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_other_users_cannot_reach_it(running: Cluster) -> None:
    assert running.home.account is not None
    assert running.home.data.stat().st_uid == running.home.account.uid != 0
    nobody = 65534
    if running.home.account.uid == nobody:
        pytest.skip("no account of its own could be made here")
    for path in (running.socket_folder, running.home.data):
        tried = subprocess.run(
            ["/bin/ls", str(path)], check=False, user=nobody, group=nobody, extra_groups=[], capture_output=True
        )
        assert tried.returncode != 0


def test_a_second_server_on_the_same_folder_is_refused(running: Cluster, state: Path) -> None:
    with pytest.raises(NarrowgateError, match="Another server already runs"):
        embedded.start(state, "x", durable=False)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_its_parent(state: Path, how: signal.Signals) -> None:
    process, server = keeper(state)
    process.send_signal(how)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert ends(server)
    again = embedded.start(state, "x", durable=False)
    again.stop()


def test_a_start_right_after_a_kill_waits_for_the_old_server(state: Path) -> None:
    process, server = keeper(state)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    again = embedded.start(state, "x", durable=False)
    assert again.process.pid != server
    again.stop()


def test_a_stale_process_number_does_not_stop_it(state: Path) -> None:
    first = embedded.start(state, "x", durable=False)
    data = first.home.data
    first.stop()
    # A number that now belongs to a process of somebody else: this one.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n\n\nready\n", encoding="utf-8")
    second = embedded.start(state, "x", durable=False)
    second.stop()


def test_an_interrupted_creation_is_begun_again(state: Path) -> None:
    embedded.start(state, "x", durable=False).stop()
    home = find(state, "x")
    home.data.rename(home.folder / "data.new")
    embedded.start(state, "x", durable=False).stop()


def test_a_broken_folder_is_one_sentence(state: Path) -> None:
    embedded.start(state, "x", durable=False).stop()
    (find(state, "x").data / "global" / "pg_control").unlink()
    with pytest.raises(NarrowgateError) as broken:
        embedded.start(state, "x", durable=False)
    assert "cannot use" in broken.value.message
    assert "\n" not in str(broken.value)


def test_a_full_disk_is_named() -> None:
    home = find(Path(tempfile.gettempdir()) / "narrowgate-tests-none", "x")
    said = "FATAL:  could not write lock file: No space left on device"
    assert "is full" in embedded.explained(home, said).message
    shutil.rmtree(Path(tempfile.gettempdir()) / "narrowgate-tests-none")


def test_a_long_path_still_has_a_short_socket() -> None:
    base = Path(tempfile.mkdtemp(prefix="narrowgate-tests-"))
    base.chmod(0o755)
    state = base / ("deep-" * 20) / ("deeper-" * 20)
    state.mkdir(parents=True)
    cluster = embedded.start(state, "x", durable=False)
    try:
        assert len(str(cluster.socket_folder)) < 85
        psycopg.connect(cluster.admin_dsn()).close()
    finally:
        cluster.stop()
        embedded.destroy(state, "x")
        shutil.rmtree(base)
