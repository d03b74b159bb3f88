"""Pure. Variables of a shell: which ones change what bash, or the programs that it starts, would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.ssh.words import Unsound, Word

PLAIN_VARIABLES: Final = frozenset(
    {
        "CI", "COLUMNS", "DEBIAN_FRONTEND", "LANG", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME", "LINES",
        "NO_COLOR", "TERM", "TZ",
    }
)  # fmt: skip
"""Variables of the environment that no program runs anything by."""
_BASHS: Final = re.compile(
    r"(?:BASH|COMP_|COMPREPLY|DIRSTACK|FUNC|GLOB|HIST|LC_|LD_|MAIL|OPT(?:IND|ARG|ERR)|PROMPT|PS\d|READLINE|SHELL|SHLVL|TERM)|"
    r"(?:CDPATH|CHILD_MAX|COLUMNS|COPROC|EMACS|ENV|EPOCH\w*|EUID|EXECIGNORE|FCEDIT|FIGNORE|HOME|HOSTFILE|IFS|IGNOREEOF|INPUTRC|INSIDE_EMACS|"
    r"LANG|LINENO|LINES|LOGNAME|MAPFILE|OLDPWD|PATH|PIPESTATUS|POSIXLY_CORRECT|PPID|PWD|RANDOM|REPLY|SECONDS|SRANDOM|TIMEFORMAT|TMOUT|TMPDIR|"
    r"TZ|UID|USER|auto_resume|histchars|_)\Z"
)
"""Variables that bash reads, and those of the environment that programs are started with."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
_READ_OPTIONS: Final = re.compile(r"-[rse]+\Z")


def is_bashs(name: str) -> bool:
    """Whether bash, or a program, looks at a variable of that name."""
    return _BASHS.match(name) is not None


def require_plain_name(name: str | None) -> None:
    """Raise Unsound unless `name` is a variable that means nothing to anybody but the script."""
    if name is None or not _NAME.match(name) or is_bashs(name):
        raise Unsound("a variable that bash or its programs read")


def require_plain_setting(program: str, words: Sequence[Word]) -> None:
    """Raise Unsound for a builtin that sets a variable which is not the script's alone, or runs what an index holds."""
    values = [word.value for word in words]
    if program in {"test", "["}:
        _require_plain_test(words)
    elif program in {"getopts", "ulimit"} or (program == "wait" and words):
        raise Unsound("a builtin that sets variables")
    elif program == "read":
        for value in values:
            if value is None or not _READ_OPTIONS.match(value):
                require_plain_name(value)
    elif program == "printf" and values[:1] == ["-v"]:
        require_plain_name(values[1] if len(values) > 1 else None)
    elif program == "printf" and values[:1] == [None]:
        raise Unsound("it may set a variable")


def _require_plain_test(words: Sequence[Word]) -> None:
    """`-v` looks a variable up, and the index of an array may run a command."""
    if any(word.value in {"-v", "-R"} or word.splits for word in words) or (len(words) == 2 and not words[0].fixed):
        raise Unsound("a test that may run commands")
