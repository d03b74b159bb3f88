"""The state folder of the one-process server: what is in it, who holds it, and the secrets made at the first start."""

from __future__ import annotations

import fcntl
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from console import embedded
from core.errors import NarrowgateError
from core.files import create_private

MARK = "narrowgate-state"
CLUSTERS = ("main", "shop")
EMPTY = "empty"  # a file that says: no demo here
CONTENTS = (
    "demo.json", "keys", "agents", "people.json", "static", "logs", "clusters", "ports.json", "mail", "reports", "ledger", EMPTY,
)  # fmt: skip


@dataclass(frozen=True)
class StateFolder:
    """A folder that this process holds; closing `lock` lets it go."""

    path: Path
    lock: IO[str]

    def secret(self, name: str) -> str:
        """A random secret of this deployment, made once and kept in `keys/<name>` for its owner alone."""
        path = self.path / "keys" / name
        if not path.exists():
            create_private(path, secrets.token_urlsafe(48).encode())
        return path.read_text(encoding="utf-8").strip()

    @property
    def is_empty(self) -> bool:
        """Whether it was started without the demo."""
        return (self.path / EMPTY).exists()

    def keep_empty(self) -> bool:
        """Note, at the first start, that there is no demo here. Raises NarrowgateError where there is one."""
        if (self.path / "people.json").exists():
            raise NarrowgateError(
                f"The state folder {self.path} holds the demo.", "Choose another with --state DIR, or add --fresh."
            )
        (self.path / EMPTY).touch()
        return True

    def clear(self) -> None:
        """Delete everything of ours in it: the next start is a first start."""
        for cluster in CLUSTERS:
            embedded.destroy(self.path, cluster)
        for name in CONTENTS:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def hold(path: Path) -> StateFolder:
    """Take `path`, which is made where missing. Raises NarrowgateError when it is another's, or in use."""
    path = path.expanduser().absolute()
    mark = path / MARK
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not mark.exists() and any(path.iterdir()):
            raise NarrowgateError(
                f"The folder {path} holds something else than a server's state.",
                "Choose an empty one with --state DIR.",
            )
        lock = mark.open("a", encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"The state folder {path} cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise NarrowgateError(
            f"Another server already runs on the state folder {path}.", "Stop it, or choose another with --state DIR."
        ) from None
    return StateFolder(path, lock)
