"""PostgreSQL servers of our own, made from the wheel's binaries: created, started, stopped with this process.

Each listens on a unix socket in a private folder and on nothing else, asks every login for a password
(SCRAM), and dies when this process dies, however it dies.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from console.postgres_home import SHARED_HOME, Home, as_account, find
from core.errors import NarrowgateError

SUPERUSER = "cluster_admin"
PORT = 5432  # of the socket's name only: nothing listens on TCP
READY_WITHIN = 60.0  # seconds, crash recovery included
GONE_WITHIN = 20.0  # seconds that a server left by a killed process may take to end
LOG_LIMIT = 10_000_000  # bytes kept of a server's log from one start to the next
PR_SET_PDEATHSIG = 1

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "io_method": "sync",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What people's rows hold does not belong in a log file:
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Cluster:
    """A running server that this process started; `stop` it, or let it end with the process."""

    name: str
    home: Home
    password: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)
    lock: IO[str] = field(repr=False)

    @property
    def socket_folder(self) -> Path:
        """The folder to give as `host`; the same at every start of this state folder."""
        return self.home.sockets

    def dsn(self, user: str, password: str, database: str) -> str:
        """A connection URL through the socket."""
        host = quote(str(self.home.sockets), safe="")
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@/{quote(database)}?host={host}&port={PORT}"

    def admin_dsn(self, database: str = "postgres") -> str:
        """A connection URL of the superuser, whose password only this process and the state folder hold."""
        return self.dsn(SUPERUSER, self.password, database)

    def stop(self) -> None:
        """End it: at once for its clients, cleanly for its files. Twice does nothing."""
        for order, patience in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if self.process.poll() is not None:
                break
            self.process.send_signal(order)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        with suppress(OSError):  # left behind it does no harm
            self.home.sockets.rmdir()
        self.lock.close()


def start(state: Path, name: str, *, durable: bool = True) -> Cluster:
    """Start cluster `name` of the state folder `state`, making it first if need be.

    Call it from a thread that lives as long as the server: Linux ends a child when the thread that made it ends.
    `durable=False` is for tests: faster, and lost when the machine crashes. Raises NarrowgateError.
    """
    home = find(state, name)
    lock = _lock(state / "clusters" / f"{name}.lock")
    try:
        _wait_for_predecessor(home)
        password = _password(state / "clusters" / f"{name}.password")
        if not home.data.exists():
            _create(home, password, durable=durable)
        process, log = _launch(home, state / "logs" / f"postgres-{name}.log", durable=durable)
        _wait_until_ready(home, process, log)
    except BaseException:
        lock.close()
        raise
    return Cluster(name, home, password, process, lock)


def destroy(state: Path, name: str) -> None:
    """Delete cluster `name` and all its data. Raises NarrowgateError while a server runs on it."""
    home = find(state, name)
    with _lock(state / "clusters" / f"{name}.lock"):
        _wait_for_predecessor(home)
        for folder in (home.folder, home.sockets):
            shutil.rmtree(folder, ignore_errors=True)
        if home.folder.is_relative_to(SHARED_HOME):
            with suppress(OSError):  # the state folder's other clusters may still be there
                home.folder.parent.rmdir()
        (state / "clusters" / f"{name}.password").unlink(missing_ok=True)


def _lock(path: Path) -> IO[str]:
    """Hold `path` until it is closed, or until this process ends."""
    try:
        handle = path.open("a", encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"The file {path} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise NarrowgateError(
            f"Another server already runs on the state folder {path.parent.parent}.",
            "Stop it, or choose another folder with --state DIR.",
        ) from None
    return handle


def _password(path: Path) -> str:
    """The superuser's password, made at the first start, readable by the owner of the state folder alone."""
    try:
        if not path.exists():
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                file.write(secrets.token_urlsafe(32))
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NarrowgateError(f"The file {path} cannot be used: {error.strerror}.") from None


def _create(home: Home, password: str, *, durable: bool) -> None:
    """Run initdb beside the final place and move it there, so that an interrupted one leaves nothing behind."""
    fresh, secret = home.folder / "data.new", home.folder / "password.new"
    shutil.rmtree(fresh, ignore_errors=True)
    secret.unlink(missing_ok=True)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(password + "\n")
    if home.account is not None:
        os.chown(secret, home.account.uid, home.account.gid)
    command = [str(home.binaries / "initdb"), "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += [] if durable else ["--no-sync"]
    try:
        _run(command, home)
    finally:
        secret.unlink(missing_ok=True)
    fresh.rename(home.data)


def _run(command: list[str], home: Home) -> None:
    """Run a helper of PostgreSQL's to its end."""
    who = as_account(home.account)
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", env=_environment(), **who)
    if done.returncode:
        raise explained(home, done.stderr)


def _environment() -> Mapping[str, str]:
    """A bare environment: a caller's PGDATA or LC_ALL must not steer our servers."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _launch(home: Home, log: Path, *, durable: bool) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the postmaster as a direct child, in a session of its own so that Ctrl-C reaches only us."""
    settings = SETTINGS | {"unix_socket_directories": str(home.sockets)} | ({} if durable else UNSAFE_BUT_FAST)
    command = [str(home.binaries / "postgres"), "-D", str(home.data), "-p", str(PORT)]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.old"))
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509 -- only there can the child ask for the signal
                **as_account(home.account),
            )
    except OSError as error:
        raise NarrowgateError(f"PostgreSQL cannot be started: {error.strerror}.") from None
    return process, log


def _end_with(parent: int) -> Callable[[], None]:
    """What the child runs before it becomes PostgreSQL: when the parent dies, so does it, at once."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return arrange


def _wait_until_ready(home: Home, process: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    offset = log.stat().st_size
    while time.monotonic() - began < READY_WITHIN:
        if process.poll() is not None:
            raise explained(home, _tail(log, offset))
        lines = _pid_file(home)
        if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7] == "ready":
            return
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise NarrowgateError(f"PostgreSQL did not start within {READY_WITHIN:.0f} seconds.", f"See {log}.")


def _tail(log: Path, offset: int) -> str:
    """The last lines of the log; `offset` may already be past some of what this start has written."""
    with log.open("rb") as file:
        file.seek(max(0, offset - 2000))
        return file.read().decode(errors="replace")


def _pid_file(home: Home) -> list[str]:
    """The lines of postmaster.pid: process, data folder, start, port, socket folder, address, memory, status."""
    try:
        text = (home.data / "postmaster.pid").read_text(encoding="utf-8")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines()]


def _wait_for_predecessor(home: Home) -> None:
    """Let a server whose parent was killed finish dying; forget one that is long gone."""
    began = time.monotonic()
    while (pid := _predecessor(home)) is not None:
        if time.monotonic() - began > GONE_WITHIN:
            raise NarrowgateError(f"An older PostgreSQL (process {pid}) still runs on {home.folder}.", "End it first.")
        time.sleep(0.02)
    (home.data / "postmaster.pid").unlink(missing_ok=True)


def _predecessor(home: Home) -> int | None:
    """The process that still serves this cluster: named in its file and at work in its folder."""
    lines = _pid_file(home)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    try:
        os.kill(pid, 0)
        here = Path(f"/proc/{pid}/cwd").resolve() == home.data.resolve() if Path("/proc/self").exists() else True
    except OSError:
        return None
    return pid if here else None


def explained(home: Home, output: str) -> NarrowgateError:
    """One sentence for what PostgreSQL's helpers say in many."""
    folder = home.folder
    if "No space left on device" in output:
        return NarrowgateError(f"The disk that holds {folder} is full.", "Free some space and start again.")
    if "incompatible with server" in output:
        return NarrowgateError(f"{folder} was made by another version of PostgreSQL.", "Start with --fresh.")
    said = [line for line in output.splitlines() if "FATAL" in line or "PANIC" in line or "error:" in line]
    reason = said[-1].split(":", 2)[-1].strip() if said else "it ended without saying why"
    return NarrowgateError(
        f"The embedded PostgreSQL cannot use {folder}: {reason.rstrip('.')}.",
        "Restore the folder, or start with --fresh to begin anew.",
    )
