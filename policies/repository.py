"""Policies from a Git repository that the deployment names: one commit of one branch, read as data and never checked out.

Nobody types an address here. What opens it is a setting, as it is: how Git is run with it says `policies/git.py`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.errors import Invalid, Refused
from policies import cases
from policies.git import NOTHING, Git, Opens
from policies.parse import LONGEST_TEXT

SCHEMES: Final = frozenset({"https", "ssh", "file"})
MOST_FILES: Final = 500
POLICIES, TESTS = ".cedar", ".test.yaml"
_BRANCH: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}\Z")
_ENTRY: Final = re.compile(r"100(?:644|755) blob ([0-9a-f]{40,64}) +([0-9]+)\t(.+)", re.DOTALL)


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
    opens: Opens = NOTHING

    @classmethod
    def at(cls, said: str, opens: Opens = NOTHING) -> Repository:
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
                "Write https://…, ssh://… or file://…, without a password; POLICY_REPOSITORY_TOKEN and POLICY_REPOSITORY_KEY are for that.",
            )
        return cls(address, folder.strip("/"), opens)

    def read(self, branch: str = "") -> Found:
        """The policies and test cases at the head of a branch; of the one that is the repository's own by default. Raises Invalid and NarrowgateError."""
        if branch and not _BRANCH.match(branch):
            raise Invalid("branch", f'There is no branch called "{branch[:40]}".', "Write it as Git lists it: main.")
        with tempfile.TemporaryDirectory(prefix="narrowgate-git-") as place:
            git = Git(Path(place), self.address, self.opens)
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

    def _found(self, git: Git, files: dict[str, str], commit: str) -> Found:
        policies, tests = ([name for name in sorted(files) if name.endswith(ending)] for ending in (POLICIES, TESTS))
        if not policies or len(files) > MOST_FILES:
            what = f"more than {MOST_FILES} files" if policies else f"no policy file (*{POLICIES})"
            raise Invalid("text", f"The folder {self.folder or '/'} of {commit[:12]} has {what}.")
        text = "".join(f"// {name}\n{_text(git, name, files[name])}" for name in policies)
        cased = "".join(f"---\n# {name}\n{_text(git, name, files[name])}" for name in tests)
        return Found(text, cased, commit, f"{self.address}#{self.folder}".rstrip("#"))


def _text(git: Git, name: str, blob: str) -> str:
    try:
        text = git.run("cat-file", "blob", blob).decode()
    except UnicodeDecodeError:
        raise Invalid("text", f"The file {name} is no UTF-8.") from None
    return text if text.endswith("\n") else f"{text}\n"
