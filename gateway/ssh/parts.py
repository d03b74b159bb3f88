"""Pure. What a command line comes down to: the programs it would start, the files it would open, and what cannot be told."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.ssh.words import Unsound, Word
from policies.verbs import SSH_EXEC, SSH_UNKNOWN

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, whatever the host or the agent would like."""
_FOLDERS: Final = frozenset(PATH.split(":"))
_RESERVED: Final = frozenset(
    {
        "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "function", "select", "coproc",
        "{", "}", "!", "[[", "]]",
    }
)  # fmt: skip
"""Words that open or close something: as a program's name they mean that the tree is wrong."""
LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class Part:
    """One program that would start, file that would be opened, or thing that cannot be told (`why` says what)."""

    verb: str
    text: str
    program: str = ""
    arguments: tuple[str, ...] = ()
    fixed: bool = True
    """Whether every argument is known, not only written down."""
    through: tuple[str, ...] = ()
    """The programs that start it, the first one first."""
    path: str = ""
    why: str = ""


def unclear(text: str, why: str, through: tuple[str, ...] = ()) -> Part:
    """Something of which it cannot be told what it would do."""
    return Part(SSH_UNKNOWN, text[:LONGEST_TEXT], fixed=False, through=through, why=why)


def program_part(
    name: Word, arguments: Iterable[Word], through: tuple[str, ...], folder: str | None, *, appended: bool = False
) -> Part:
    """A program that would start. `folder` is where it would, None where that cannot be told; `appended`: it is given more than is written."""
    words = tuple(arguments)
    text = shown([name, *words]) + (" …" if appended else "")
    try:
        called = program_name(name, folder)
    except Unsound as error:
        return unclear(text, error.why, through)
    told = tuple(word.text if word.value is None else word.value for word in words)
    return Part(SSH_EXEC, text, called, told, not appended and all(word.fixed for word in words), through)


def program_name(name: Word, folder: str | None) -> str:
    """What policies call a program: its name where it is found by PATH, else where it is. Raises Unsound."""
    value = name.value
    if value is None:
        raise Unsound("which program it is depends on what is expanded")
    if not value or value in _RESERVED or not value.isprintable():
        raise Unsound("a program with a name that is none")
    if "/" not in value:
        return value
    path = absolute(value, folder)
    above, base = posixpath.split(path)
    return base if above in _FOLDERS else path


def file_part(verb: str, target: Word, text: str, folder: str | None) -> Part | None:
    """A file that would be opened; None for one that is always there and holds nothing."""
    if target.value is None:
        return unclear(text, "which file it is depends on what is expanded")
    try:
        path = absolute(target.value, folder)
    except Unsound as error:
        return unclear(text, error.why)
    if path in {"/dev/null", "/dev/zero"}:
        return None
    if path.startswith(("/dev/tcp/", "/dev/udp/")):
        return unclear(text, "a connection to another machine")
    return Part(verb, text[:LONGEST_TEXT], path=path)


def absolute(path: str, folder: str | None) -> str:
    """Where `path` is. Raises Unsound where that cannot be told from the text."""
    if not path or not path.isprintable():
        raise Unsound("a path that is none")
    if ".." in path.split("/"):
        raise Unsound("a path with .. in it")
    if not path.startswith("/"):
        if folder is None:
            raise Unsound("a path from a directory that cannot be told")
        path = posixpath.join(folder, path)
    return "/" + posixpath.normpath(path).lstrip("/")


def shown(words: Iterable[Word]) -> str:
    """Words as one text: what is known in its plainest quotes, what is not as it was written."""
    return " ".join(word.text if word.value is None else shlex.quote(word.value) for word in words)
