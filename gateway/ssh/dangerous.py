"""Pure. Shapes of commands that nobody lets through, whatever policy says: known by what a command comes down to, never by its text.

They are few, and none is anybody's work: what an agent may mean in earnest is for policy.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Final

from tree_sitter import Node

from gateway.refusal import Refusal
from gateway.ssh.commands import parsed
from gateway.ssh.parts import Part
from policies.verbs import SSH_UNKNOWN, SSH_WRITE

_SYSTEM: Final = frozenset(
    {
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt",
        "/proc",
        "/root",
        "/sbin",
        "/srv",
        "/sys",
        "/usr",
        "/var",
    }
)
_DISK: Final = re.compile(r"/dev/(?:sd|hd|vd|xvd|nvme|mmcblk|loop|md|dm-|mapper/|disk/|mem\Z|kmem\Z|port\Z)")
_FILESYSTEMS: Final = re.compile(r"mkfs(?:\.[a-z0-9]+)?\Z|mke2fs\Z|mkswap\Z|wipefs\Z|blkdiscard\Z")
_FETCHERS: Final = frozenset({"curl", "wget", "fetch", "aria2c"})
_RUNS: Final = re.compile(r"(?:ba|da|z|k|a|c|tc|fi)?sh\Z|python[0-9.]*\Z|perl\Z|ruby\Z|node\Z|php\Z")


def _removes_the_system(part: Part) -> bool:
    return part.program == "rm" and _has(part, "rR", "--recursive") and _names_system(part.arguments)


def _finds_and_deletes(part: Part) -> bool:
    return part.program == "find" and "-delete" in part.arguments and _names_system(part.arguments[:1])


def _opens_the_system(part: Part) -> bool:
    return (
        part.program in {"chmod", "chown", "chgrp"} and _has(part, "R", "--recursive") and _names_system(part.arguments)
    )


def _makes_a_filesystem(part: Part) -> bool:
    return bool(_FILESYSTEMS.match(posixpath.basename(part.program)))


def _writes_to_a_disk(part: Part) -> bool:
    written = [one.removeprefix("of=") for one in part.arguments if part.program == "dd" and one.startswith("of=")]
    written += [one for one in part.arguments if part.program in {"shred", "tee", "cp"}][-1:]
    return any(_DISK.match(path) for path in [*written, *([part.path] if part.verb == SSH_WRITE else [])])


SHAPES: Final[tuple[tuple[str, Callable[[Part], bool]], ...]] = (
    ("it removes the system, or a directory that it stands on", _removes_the_system),
    ("it removes everything below a directory that the system stands on", _finds_and_deletes),
    ("it changes who may use the system's own files", _opens_the_system),
    ("it makes a file system, over whatever is there", _makes_a_filesystem),
    ("it writes to a disk past its file system", _writes_to_a_disk),
)
"""Why, and what a single part looks like."""


def require_harmless(text: str, parts: Sequence[Part]) -> None:
    """Raise Refusal for a command of one of these shapes."""
    for part in parts:
        for why, has_shape in SHAPES:
            if has_shape(part):
                raise _refused(why)
    if _runs_what_it_fetches(parts):
        raise _refused("it runs what it has just fetched from elsewhere, unseen")
    if "(" in text and _is_fork_bomb(parsed(text)):
        raise _refused("it starts itself again and again")


def _refused(why: str) -> Refusal:
    return Refusal(
        f"No policy is asked about this command: {why}.",
        code="dangerous_command",
        remedy="Nobody can let it through. Name exactly what is meant, in steps that can be looked at.",
    )


def _has(part: Part, letters: str, name: str) -> bool:
    """Whether an option is among the arguments, alone or with others."""
    short = (one for one in part.arguments if one.startswith("-") and not one.startswith("--"))
    return name in part.arguments or any(set(letters) & set(one[1:]) for one in short)


def _names_system(arguments: Sequence[str]) -> bool:
    paths = (one.removesuffix("*") for one in arguments if one.startswith("/"))
    return any("/" + posixpath.normpath(path).lstrip("/") in _SYSTEM for path in paths)


def _runs_what_it_fetches(parts: Sequence[Part]) -> bool:
    """A fetching program beside a shell of which it cannot be told what it runs."""
    programs = [posixpath.basename(part.program) for part in parts]
    unseen = any(part.verb == SSH_UNKNOWN for part in parts)
    return unseen and bool(_FETCHERS & set(programs)) and any(map(_RUNS.match, programs))


def _is_fork_bomb(root: Node) -> bool:
    """A function that calls itself and does not wait."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        name = node.child_by_field_name("name") if node.type == "function_definition" else None
        if name is not None and _calls(node, name.text or b""):
            return True
    return False


def _calls(function: Node, name: bytes) -> bool:
    called, backgrounds = 0, False
    waiting = [function.child_by_field_name("body") or function]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        backgrounds = backgrounds or node.type == "&"
        called += node.type == "command_name" and node.text == name
    return called > 0 and (backgrounds or called > 1)
