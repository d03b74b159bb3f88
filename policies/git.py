"""Git as it is run here: as a reader of one repository, with nothing of anybody's.

It runs without hooks, without anybody's configuration, without a prompt, by the address' own protocol alone, follows no redirect, and is
bounded in time and in what it may write. A credential goes to it by its environment, a key by a file in its own folder. A host is
spoken to over SSH only where its key is one that is set: whoever else answers there could give any policies.
"""

from __future__ import annotations

import os
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from core.errors import Invalid, NarrowgateError

WITHIN: Final = 20.0
"""Seconds for all that Git is asked for once."""
LARGEST_FILE: Final = 64 * 1024 * 1024
"""Bytes of any one file that Git may write: a pack is one."""
SSH: Final = (
    "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=hosts -o GlobalKnownHostsFile=/dev/null"
    " -o UpdateHostKeys=no -o IdentitiesOnly=yes -o IdentityAgent=none -o IdentityFile=key -o PreferredAuthentications=publickey"
    " -o ForwardAgent=no -o ClearAllForwardings=yes -o ConnectTimeout=10"
)
"""Files are in Git's own folder, in which it runs."""
_BOUNDED: Final = ("/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(LARGEST_FILE // 512))
"""POSIX counts in blocks of 512 bytes."""
_TOKEN: Final = "Set POLICY_REPOSITORY_TOKEN to one that may read it."  # noqa: S105 -- what to do about one
_KEY: Final = (
    "Set POLICY_REPOSITORY_KEY to a private key, without a passphrase, whose public half the repository lets read."
)
_HOST: Final = "Set POLICY_REPOSITORY_HOST_KEY to the key that ssh-keyscan shows of it, once that was compared with what its owner publishes."


@dataclass(frozen=True)
class Opens:
    """What opens a repository: a token over HTTPS; over SSH a private key, and the keys that its host may have, one a line."""

    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    host_keys: str = ""


NOTHING: Final = Opens()


class Git:
    """Git in a folder of its own, for one address."""

    def __init__(self, place: Path, address: str, opens: Opens = NOTHING) -> None:
        """Raises Invalid where the host's key is none, and NarrowgateError where an address over SSH has none."""
        self._place, self._opens = place, opens
        parts = urlsplit(address)
        self._host = parts.hostname or ""
        if parts.scheme == "ssh":
            self._prepare(parts)
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(place),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": parts.scheme,
            "GIT_SSH_COMMAND": SSH,
            **settings_of(opens),
        }
        if authorities := os.environ.get("SSL_CERT_FILE"):  # as a machine names a company's own
            self._environment["GIT_SSL_CAINFO"] = authorities

    def _prepare(self, parts: SplitResult) -> None:
        """Write the keys that SSH is to use: the host's, and ours."""
        if not self._opens.host_keys.strip():
            raise NarrowgateError(f"No key of the host {self._host} is set, so anybody could answer for it.", _HOST)
        name = f"[{self._host}]:{parts.port}" if parts.port else self._host
        (self._place / "hosts").write_text("".join(f"{name} {key}\n" for key in _host_keys(self._opens.host_keys)))
        if self._opens.key:
            key = self._place / "key"
            key.touch(mode=0o600)
            key.write_text(f"{self._opens.key.strip()}\n")

    def run(self, *arguments: str) -> bytes:
        """What a command prints. Raises NarrowgateError with Git's own first line where it fails, or takes too long."""
        process = subprocess.Popen(
            [*_BOUNDED, "git", *arguments], cwd=self._place, env=self._environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            said, wrong = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it started as well
            process.communicate()
            raise NarrowgateError(
                f"The repository did not answer within {WITHIN:.0f} s.", "Look at the network between."
            ) from None
        if process.returncode:
            raise self._refusal(wrong)
        return said

    def _refusal(self, wrong: bytes) -> NarrowgateError:
        """What Git says, told as what it means and what to do."""
        told: Mapping[tuple[bytes, ...], tuple[str, str]] = {
            (b"could not read Username", b"Authentication failed", b"unable to read askpass"): (
                f"The repository {_does('credential', self._opens.token)}.", _TOKEN,
            ),
            (b"Host key verification failed", b"no matching host key type"): (
                f"The host {self._host} shows another key than the one that is set: somebody else may be answering for it.", _HOST,
            ),
            (b"Load key", b"error in libcrypto"): ("The key that is set for the repository cannot be read.", _KEY),
            (b"Permission denied (",): (f"The repository {_does('key', self._opens.key)}.", _KEY),
        }  # fmt: skip
        for words, (message, remedy) in told.items():
            if any(one in wrong for one in words):
                return NarrowgateError(message, remedy)
        why = f"The repository cannot be read: {_sentence(wrong)}."
        return NarrowgateError(why, "Look at POLICY_REPOSITORY, what opens it, and the branch.")


def _does(what: str, given: str) -> str:
    return f"does not take the {what} that is set" if given else f"asks for a {what}, and none is set"


def _host_keys(said: str) -> Iterator[str]:
    """The keys of a host: of each line the type and the key, as `ssh-keyscan` prints them behind its name, or `ssh-keygen` without one."""
    for line in said.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = next(
            (place for place, word in enumerate(words[:2]) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None
        )
        if place is None or len(words) < place + 2:
            raise Invalid("POLICY_REPOSITORY_HOST_KEY", "What is set as the host's key is none.", _HOST)
        yield f"{words[place]} {words[place + 1]}"


def settings_of(opens: Opens) -> dict[str, str]:
    """Git's settings by its environment, where no list of processes shows them."""
    pairs = [
        ("core.hooksPath", os.devnull),
        ("http.followRedirects", "false"),
        ("fetch.fsckObjects", "true"),
        ("gc.auto", "0"),
    ]
    if opens.token:
        pairs.append(("http.extraHeader", f"Authorization: Basic {b64encode(f'git:{opens.token}'.encode()).decode()}"))
    numbered = {
        f"GIT_CONFIG_{kind}_{place}": one
        for place, pair in enumerate(pairs)
        for kind, one in zip(("KEY", "VALUE"), pair, strict=True)
    }
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **numbered}


def _sentence(wrong: bytes) -> str:
    """The first line of what Git says, printable; an address in it is ours, and has no password."""
    lines: Sequence[str] = wrong.decode("utf-8", "replace").splitlines() or ["it gave no reason"]
    line = "".join(letter for letter in lines[0] if letter.isprintable())[:200]
    return line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
