"""Folders of Cedar files and of their test cases as one text each, with the way back from a line to its file."""

from __future__ import annotations

import os
import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from core.errors import NarrowgateError

POLICIES = "*.cedar"
TESTS = "*.test.yaml"
NEXT_DOCUMENT = "---\n"
LONGEST_ADDRESS = 300
GIT_WITHIN = 5.0
"""Seconds that Git has to name a commit."""


@dataclass(frozen=True)
class Bundle:
    """The files' text, and the line (from 1) that each begins on."""

    text: str
    files: tuple[Path, ...]
    begins: tuple[int, ...]

    def at(self, line: int) -> tuple[Path, int]:
        """`line` of the text as a file and a line in it."""
        number = max(0, bisect_right(self.begins, line) - 1)
        return self.files[number], max(1, line - self.begins[number] + 1)


def gather(paths: Iterable[Path]) -> Bundle:
    """The policies: files, and those of the folders, in the order given and by name inside a folder. Raises NarrowgateError."""
    files = tuple(file for path in paths for file in _files(path, POLICIES) if not _is_test(file))
    if not files:
        raise NarrowgateError("There is no policy file.", f"Name files, or a folder with {POLICIES} in it.")
    return _bundle(files, ["", *["\n" for _ in files[1:]]])


def gather_tests(paths: Iterable[Path]) -> Bundle:
    """The test cases beside them, as one text of several YAML documents; empty where there are none. Raises NarrowgateError."""
    files = tuple(file for path in paths for file in _files(path, TESTS) if _is_test(file))
    return _bundle(files, [NEXT_DOCUMENT for _ in files])


def commit_of(paths: Iterable[Path]) -> str:
    """The Git commit that the files are of; empty where there is none, or they were changed since."""
    path = next(iter(paths))
    folder = path if path.is_dir() else path.parent
    if _git(folder, "status", "--porcelain", "--", ".") != "":
        return ""
    return _git(folder, "rev-parse", "HEAD") or ""


def repository_of(paths: Iterable[Path]) -> str:
    """The address of the repository that the files are of, without what would open it; empty where there is none."""
    path = next(iter(paths))
    address = _git(path if path.is_dir() else path.parent, "remote", "get-url", "origin") or ""
    plain = re.sub(r"^([a-z][a-z0-9+.-]*://)[^/@]*@", r"\1", address)
    return plain if len(plain) <= LONGEST_ADDRESS and not re.search(r"\s", plain) else ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What Git says; None where it is not there, or this is no repository. No hook or helper of the repository's own is run."""
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    alone = os.environ | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_WITHIN, env=alone)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def write_pack(folder: Path, name: str, pack: Mapping[str, str]) -> list[Path]:
    """Write a pack's files into `folder`. Raises NarrowgateError where one is there already, and writes none."""
    files = {
        folder / f"{name}.cedar": pack["text"],
        folder / f"{name}.test.yaml": pack["tests"],
        folder / f"{name}.md": pack["readme"],
    }
    there = [path for path in files if path.exists()]
    if there:
        raise NarrowgateError(f"The file {there[0]} is there already.", "Move it, or choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"The folder {folder} cannot be written: {error.strerror}.") from None
    return list(files)


def _is_test(file: Path) -> bool:
    return file.suffix in {".yaml", ".yml"}


def _files(path: Path, ending: str) -> Sequence[Path]:
    return sorted(path.glob(ending)) if path.is_dir() else [path]


def _bundle(files: tuple[Path, ...], heads: Sequence[str]) -> Bundle:
    """The files as one text, each after its head."""
    texts = [head + _read(file) for file, head in zip(files, heads, strict=True)]
    lines = accumulate((text.count("\n") for text in texts), initial=1)
    return Bundle(
        "".join(texts), files, tuple(line + head.count("\n") for line, head in zip(lines, heads, strict=False))
    )


def _read(path: Path) -> str:
    """The file's text, ending with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} cannot be read.") from None
    return text if text.endswith("\n") else f"{text}\n"
