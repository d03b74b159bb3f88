"""Policies from a Git repository that the deployment names: one commit of one branch, read as data and never checked out.

Nobody types an address here. Git runs without hooks, without anybody's configuration, without a prompt, by the address' own
protocol alone, follows no redirect, and is bounded in time and in what it may write. A credential goes to it by its environment.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.errors import Invalid, NarrowgateError, Refused
from policies import cases
from policies.parse import LONGEST_TEXT

SCHEMES: Final = frozenset({"https", "ssh", "file"})
WITHIN: Final = 20.0
"""Seconds for all that Git is asked for once."""
LARGEST_FILE: Final = 64 * 1024 * 1024
"""Bytes of any one file that Git may write: a pack is one."""
MOST_FILES: Final = 500
POLICIES, TESTS = ".cedar", ".test.yaml"
_ASKS: Final = (b"could not read Username", b"Authentication failed", b"unable to read askpass")
_BRANCH: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}\Z")
_ENTRY: Final = re.compile(r"100(?:644|755) blob ([0-9a-f]{40,64}) +([0-9]+)\t(.+)", re.DOTALL)
_BOUNDED: Final = ("/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(LARGEST_FILE // 512))
"""POSIX counts in blocks of 512 bytes."""


@dataclass(frozen=True)
class Found:
    """What a commit holds."""

    text: str
    tests: str
    commit: str
    repository: str


@dataclass(frozen=True)
class Repository:
    """Where policies are kept: an address, the folder in it, and what opens it."""

    address: str
    folder: str = ""
    token: str = ""

    @classmethod
    def at(cls, said: str, token: str = "") -> Repository:
        """Read `address#folder`. Raises Refused where there is none, and Invalid for one that is not used here."""
        if not said:
            raise Refused(
                "No repository is set.", "Set POLICY_REPOSITORY, or push from a folder.", code="no_repository"
            )
        address, _, folder = said.partition("#")
        parts = urlsplit(address)
        if parts.scheme not in SCHEMES or parts.password is not None or (parts.username and parts.scheme != "ssh"):
            raise Invalid(
                "POLICY_REPOSITORY",
                "The repository's address is not used here.",
                "Write https://…, ssh://… or file://…, without a password; POLICY_REPOSITORY_TOKEN is for that.",
            )
        return cls(address, folder.strip("/"), token)

    def read(self, branch: str = "") -> Found:
        """The policies and test cases at the head of a branch; of the one that is the repository's own by default. Raises Invalid and NarrowgateError."""
        if branch and not _BRANCH.match(branch):
            raise Invalid("branch", f'There is no branch called "{branch[:40]}".', "Write it as Git lists it: main.")
        with tempfile.TemporaryDirectory(prefix="narrowgate-git-") as place:
            git = _Git(place, self)
            git.run("init", "--quiet", "--bare", ".")
            head = f"refs/heads/{branch}" if branch else "HEAD"
            git.run(
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-commit-graph",
                "--",
                self.address,
                head,
            )
            commit = git.run("rev-parse", "--verify", "FETCH_HEAD^{commit}").decode().strip()
            files = dict(self._files(git.run("ls-tree", "-z", "--long", f"{commit}:{self.folder}")))
            return self._found(git, files, commit)

    def _files(self, listed: bytes) -> Iterator[tuple[str, str]]:
        """The name and blob of each policy and test file; links, submodules and folders are none."""
        total = 0
        for line in listed.decode("utf-8", "replace").split("\0"):
            entry = _ENTRY.match(line)
            if entry and entry[3].endswith((POLICIES, TESTS)) and entry[3].isprintable():
                total += int(entry[2])
                if total > LONGEST_TEXT + cases.LONGEST:
                    raise Invalid(
                        "text", "The repository's policies are longer than 16 MiB.", "Split what segments need."
                    )
                yield entry[3], entry[1]

    def _found(self, git: _Git, files: dict[str, str], commit: str) -> Found:
        policies, tests = ([name for name in sorted(files) if name.endswith(ending)] for ending in (POLICIES, TESTS))
        if not policies or len(files) > MOST_FILES:
            what = f"more than {MOST_FILES} files" if policies else f"no policy file (*{POLICIES})"
            raise Invalid("text", f"The folder {self.folder or '/'} of {commit[:12]} has {what}.")
        text = "".join(f"// {name}\n{_text(git, name, files[name])}" for name in policies)
        cased = "".join(f"---\n# {name}\n{_text(git, name, files[name])}" for name in tests)
        return Found(text, cased, commit, f"{self.address}#{self.folder}".rstrip("#"))


def _text(git: _Git, name: str, blob: str) -> str:
    try:
        text = git.run("cat-file", "blob", blob).decode()
    except UnicodeDecodeError:
        raise Invalid("text", f"The file {name} is no UTF-8.") from None
    return text if text.endswith("\n") else f"{text}\n"


class _Git:
    """Git in a folder of its own."""

    def __init__(self, place: str, repository: Repository) -> None:
        self._place = place
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": place,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": urlsplit(repository.address).scheme,
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes",
            **_settings(repository),
        }
        self._has_token = bool(repository.token)
        if authorities := os.environ.get("SSL_CERT_FILE"):  # as a machine names a company's own
            self._environment["GIT_SSL_CAINFO"] = authorities

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
        if process.returncode and any(words in wrong for words in _ASKS):
            does = (
                "does not take the credential that is set"
                if self._has_token
                else "asks for a credential, and none is set"
            )
            raise NarrowgateError(f"The repository {does}.", "Set POLICY_REPOSITORY_TOKEN to one that may read it.")
        if process.returncode:
            raise NarrowgateError(
                f"The repository cannot be read: {_sentence(wrong)}.",
                "Look at POLICY_REPOSITORY, its token and the branch.",
            )
        return said


def _settings(repository: Repository) -> dict[str, str]:
    """Git's settings by its environment, where no list of processes shows them."""
    pairs = [
        ("core.hooksPath", os.devnull),
        ("http.followRedirects", "false"),
        ("fetch.fsckObjects", "true"),
        ("gc.auto", "0"),
    ]
    if repository.token:
        pairs.append(
            ("http.extraHeader", f"Authorization: Basic {b64encode(f'git:{repository.token}'.encode()).decode()}")
        )
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
