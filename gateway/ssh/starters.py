"""Pure. Programs that start other programs: where in their arguments the other one begins.

Option tables are those of GNU coreutils 9, findutils 4.9, util-linux 2.38, sudo 1.9 and bash 5.2. An option that is not listed could take a
value, and so hide where the command begins: it cannot be told then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.ssh.variables import PLAIN_VARIABLES
from gateway.ssh.words import Unsound, Word

Arguments = Sequence[Word]


@dataclass(frozen=True)
class Inner:
    """What a program starts: another program with its arguments (`words`), or a script in bash."""

    words: tuple[Word, ...] = ()
    script: str | None = None
    file: Word | None = None
    """A file whose lines are run."""
    appended: bool = False
    """Whether arguments are added that nobody can tell."""
    reads_bash: bool = False
    """Whether it is a shell that the gate reads; like every other without words, script and file, it runs what comes by standard input."""


@dataclass(frozen=True)
class _Options:
    """How a program takes its options: letters without and with a value, long names likewise, words before the command."""

    flags: str = ""
    values: str = ""
    long: frozenset[str] = frozenset()
    long_values: frozenset[str] = frozenset()
    before: int = 0
    assigns: bool = False
    number: bool = False
    """Whether -5 is an option."""
    stop: Mapping[str, str] = field(default_factory=dict)
    """Options after which it cannot be told, and why."""


def _long(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SIMPLE: Final[Mapping[str, _Options]] = {
    "sudo": _Options(
        "nHSkKEbPAB", "ugpChDRTrt", _long("non-interactive set-home stdin reset-timestamp background preserve-groups askpass bell preserve-env"),
        _long("user group prompt close-from host chdir chroot role type command-timeout"), assigns=True,
    ),
    "doas": _Options("nL", "uC"),
    "env": _Options("i0v", "uC", _long("ignore-environment null debug"), _long("unset chdir"), assigns=True),
    "nice": _Options("", "n", frozenset(), _long("adjustment"), number=True),
    "ionice": _Options("t", "cn", _long("ignore"), _long("class classdata")),
    "nohup": _Options(),
    "setsid": _Options("cfw", "", _long("ctty fork wait")),
    "stdbuf": _Options("", "ioe", frozenset(), _long("input output error")),
    "timeout": _Options("vfp", "sk", _long("foreground preserve-status verbose"), _long("signal kill-after"), before=1),
    "time": _Options("pvaqV", "of", _long("portability verbose append quiet"), _long("output format")),
    "builtin": _Options(),
    "exec": _Options("cl", "a"),
    "chroot": _Options("", "", _long("skip-chdir"), _long("groups userspec"), before=1),
    "busybox": _Options(),
    "toybox": _Options(),
    "chrt": _Options("abforidv", "TPD", before=1),
    "taskset": _Options("ac", "", _long("all-tasks cpu-list"), before=1),
}  # fmt: skip
_XARGS: Final = _Options(
    "0rtxpo", "adEeIiLlnPs", _long("null no-run-if-empty verbose exit interactive open-tty show-limits"),
    _long("arg-file delimiter max-lines max-args max-procs max-chars process-slot-var"),
)  # fmt: skip
_SHELL_OPTIONS: Final = _Options("euxlcs", "", _long("norc noprofile login posix"), frozenset())
SHELLS: Final = frozenset({"sh", "bash", "dash"})
OTHER_SHELLS: Final = frozenset({"zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "pwsh", "rbash"})
INTERPRETERS: Final = frozenset(
    {"python", "perl", "ruby", "node", "nodejs", "php", "lua", "tclsh", "expect", "Rscript", "osascript"}
)
"""Programs that run what they are given as a text, in a language of their own."""
_INTERPRETED: Final = re.compile(r"-[uBsSEIOqwT]+\Z")
"""Their options that take no value and run nothing."""
_ASKED: Final = frozenset({"--version", "--help", "-V", "-h"})
_VERSIONED: Final = re.compile(r"(python|perl|ruby|lua|php|node)[\d.]+\Z")
_AWK_RUNS: Final = re.compile(r"system|getline|\||@|>")
_UNCLEAR: Final[Mapping[str, str]] = {
    "eval": "it runs what its arguments become",
    "source": "it runs a file in place",
    ".": "it runs a file in place",
    "parallel": "it makes commands of what it reads",
    "coproc": "it runs something beside the rest",
    "script": "it starts a shell",
    "alias": "it changes what names mean",
    "unalias": "it changes what names mean",
    "hash": "it changes what names mean",
    "enable": "it changes what names mean",
    "shopt": "it changes how the rest is read",
    "bind": "it runs what keys are bound to",
    "complete": "it runs what completes words",
    "compgen": "it runs what completes words",
    "compopt": "it runs what completes words",
    "fc": "it runs earlier commands",
    "history": "it runs nothing here, and changes what is remembered",
    "mapfile": "it sets variables, and may run a command for each line",
    "readarray": "it sets variables, and may run a command for each line",
    "let": "arithmetic may run commands",
    "at": "it runs what it reads, later",
    "batch": "it runs what it reads, later",
    "nsenter": "it runs elsewhere",
    "unshare": "it runs elsewhere",
    "systemd-run": "it runs something beside the rest",
    "strace": "it runs a program in its hand",
    "ltrace": "it runs a program in its hand",
}
_SET: Final = re.compile(r"[-+](?:[euxfnCvbhm]+o?|o)\Z")
_SET_NAMES: Final = frozenset({"errexit", "nounset", "pipefail", "noglob", "noexec", "noclobber", "verbose", "xtrace"})


def inner_of(program: str, words: Arguments) -> Inner | None:
    """What `program` starts with these arguments; None where it starts nothing. Raises Unsound where it cannot be told."""
    if program in _UNCLEAR:
        raise Unsound(_UNCLEAR[program])
    if program in OTHER_SHELLS:
        raise Unsound("a shell that the gate does not read")
    special = _SPECIAL.get(program)
    if special is not None:
        return special(words)
    if program in SHELLS:
        return _shell(words)
    if program in _SIMPLE:
        return _simple(program, words)
    named = _VERSIONED.match(program)
    return _interpreter(named[1] if named else program, words)


def can_start(program: str) -> bool:
    """Whether a program may start others, by what its arguments say."""
    base = named[1] if (named := _VERSIONED.match(program)) else program
    return base in _SIMPLE or base in _SPECIAL or base in SHELLS or base in OTHER_SHELLS or base in INTERPRETERS


def _simple(program: str, words: Arguments) -> Inner | None:
    rest = _after_options(words, _SIMPLE[program])
    if not rest and program in {"chroot", "doas"}:
        raise Unsound("it starts a shell")
    return Inner(words=tuple(rest)) if rest else None


def _after_options(words: Arguments, options: _Options) -> list[Word]:
    """The words from the command on. Raises Unsound where it cannot be told where that is."""
    rest = list(words)
    while rest:
        value = _known(rest[0])
        if value == "--":
            rest = rest[1:]
            break
        if not value.startswith("-") or value == "-":
            break
        rest = rest[_taken(value, options) :]
    for word in rest[: options.before]:
        _known(word)
    rest = rest[options.before :]
    while options.assigns and rest and "=" in _known(rest[0]):  # whatever stands before it: env takes any name
        name = _known(rest[0]).partition("=")[0]
        if name not in PLAIN_VARIABLES:
            raise Unsound(f"the variable {name[:40]} may change what programs do")
        rest = rest[1:]
    return rest


def _known(word: Word) -> str:
    if word.value is None:
        raise Unsound("where the command begins depends on what is expanded")
    return word.value


def _taken(value: str, options: _Options) -> int:
    """How many words an option takes. Raises Unsound for one that is not known."""
    if value.startswith("--"):
        name, given, _ = value[2:].partition("=")
        if name in options.long_values:
            return 1 if given else 2
        if name in options.long and not given:
            return 1
    elif options.number and value[1:].isdigit():
        return 1
    else:
        for at, letter in enumerate(value[1:], start=2):
            if letter in options.values:
                return 1 if at < len(value) else 2
            if letter not in options.flags:
                break
        else:
            return 1
    raise Unsound(f"an option that the gate does not know ({value[:20]})")


def _shell(words: Arguments) -> Inner:
    """`sh -c 'script' name …`, `sh file …`, or what comes in by standard input."""
    rest, script, from_stdin = list(words), False, False
    while rest:
        value = _known(rest[0])
        if value == "--":
            rest = rest[1:]
            break
        if not value.startswith(("-", "+")) or value in {"-", "+"}:
            break
        if value in {"-o", "+o"}:
            if len(rest) < 2 or _known(rest[1]) not in _SET_NAMES:
                raise Unsound("an option that the gate does not know")
            rest = rest[2:]
            continue
        _taken("-" + value[1:], _SHELL_OPTIONS)
        short = not value.startswith("--")
        script |= short and "c" in value
        from_stdin |= short and "s" in value
        if (short and "l" in value) or value == "--login":
            raise Unsound("a login shell runs files of its own")
        rest = rest[1:]
    if script:
        if not rest:
            raise Unsound("a shell without a command")
        return Inner(script=_known(rest[0]))
    if rest and not from_stdin and rest[0].value != "-":
        return Inner(file=rest[0])
    return Inner(reads_bash=True)


def _find(words: Arguments) -> Inner | None:
    """`find … -exec program … ;`: the commands of all its -exec together, one after the other."""
    for word in words:
        if word.value is None and not (
            word.splits and word.text[0] in "./" and "$" not in word.text and "`" not in word.text
        ):
            raise Unsound("what find does depends on what is expanded")
    values = [word.value or "" for word in words]
    commands: list[tuple[Word, ...]] = []
    at = 0
    while at < len(values):
        if values[at] in {"-exec", "-execdir", "-ok", "-okdir"}:
            end = next(
                (
                    n
                    for n in range(at + 1, len(values))
                    if values[n] == ";" or (values[n] == "+" and values[n - 1] == "{}")
                ),
                None,
            )
            if end is None or end == at + 1:
                raise Unsound("find starts a command that does not end")
            commands.append(tuple(words[at + 1 : end]))
            at = end
        at += 1
    if not commands:
        return None
    if len(commands) > 1:
        raise Unsound("find starts several commands")
    return Inner(words=commands[0], appended=True)


def _xargs(words: Arguments) -> Inner:
    for word in words:
        value = word.value or ""
        if value.startswith(("-I", "-i", "--replace")):
            raise Unsound("what xargs starts depends on what it reads")
        if word.value is None or not value.startswith("-"):
            break
    rest = _after_options(words, _XARGS)
    return Inner(words=tuple(rest) if rest else (Word("echo", "echo"),), appended=True)


def _su(words: Arguments) -> Inner:
    values = [_known(word) for word in words]
    if "-c" not in values or values.index("-c") + 1 >= len(values):
        raise Unsound("it starts a shell")
    if any(value.startswith("-") and value not in {"-c", "-", "-l"} for value in values):
        raise Unsound("an option that the gate does not know")
    raise Unsound("it runs a login shell, which runs files of its own")


def _flock(words: Arguments) -> Inner | None:
    rest = _after_options(
        words,
        _Options("sxunoFv", "wE", _long("shared exclusive nonblock"), _long("timeout conflict-exit-code"), before=1),
    )
    if rest and rest[0].value in {"-c", "--command"}:
        if len(rest) != 2:
            raise Unsound("a shell without a command")
        return Inner(script=_known(rest[1]))
    return Inner(words=tuple(rest)) if rest else None


def _watch(words: Arguments) -> Inner:
    rest = _after_options(
        words, _Options("bcdegtx", "n", _long("beep color differences errexit chgexit no-title"), _long("interval"))
    )
    if any(word.value == "-x" for word in words):
        return Inner(words=tuple(rest))
    return Inner(script=" ".join(_known(word) for word in rest))


def _trap(words: Arguments) -> Inner | None:
    rest = [word for word in words if word.value != "--"]
    if not rest or (rest[0].value or "").startswith("-") or len(rest) == 1:
        return None
    return Inner(script=_known(rest[0]))


def _command(words: Arguments) -> Inner | None:
    if words and words[0].value in {"-v", "-V"}:
        return None
    return Inner(words=tuple(rest)) if (rest := _after_options(words, _Options("p"))) else None


def _set(words: Arguments) -> None:
    for word in words:
        value = _known(word)
        if value == "--":
            return
        if not _SET.match(value) and value not in _SET_NAMES:
            raise Unsound("it changes how the rest is read")


def _awk(words: Arguments) -> None:
    for word in words:
        value = _known(word)
        if _AWK_RUNS.search(value) or (value.startswith("-") and not re.match(r"-F|-v$|-$|--$", value)):
            raise Unsound("a program of its own, which may start others or write files")


def _sed(words: Arguments) -> None:
    values = [_known(word) for word in words]
    scripts = [values[at + 1] for at, value in enumerate(values[:-1]) if value == "-e"]
    plain = [value for value in values if not value.startswith("-")]
    scripts = scripts or plain[:1]
    known = all(_SED_OPTION.match(value) for value in values if value.startswith("-"))
    if not known or not all(_SED.match(one.strip()) for script in scripts for one in script.split(";")):
        raise Unsound("a program of its own, which may start others or write files")


_SED_OPTION: Final = re.compile(r"(?:-[nErsuz]+|-i|-e|--quiet|--regexp-extended|--in-place)\Z")
_SED: Final = re.compile(
    r"(?:(?:\d+|\$|/[^/\\\n]*/)(?:,(?:\d+|\$|/[^/\\\n]*/))?)?\s*(?:[dpq=D]|s(?P<end>[/|#,:@])(?:(?!(?P=end))[^\\\n]|\\.)*(?P=end)(?:(?!(?P=end))[^\\\n]|\\.)*(?P=end)[gpiI0-9]*)\s*\Z"
)


def _interpreter(program: str, words: Arguments) -> Inner | None:
    """`python -c …`, or a program read from standard input. A file is one more program, a module is python's own."""
    if program not in INTERPRETERS:
        return None
    if any(word.value in _ASKED for word in words[:1]):
        return None
    for at, word in enumerate(words):
        value = _known(word)
        if program == "python" and value == "-m":
            _known(words[at + 1]) if at + 1 < len(words) else ""
            return None
        if not value.startswith("-"):
            return Inner(file=word)
        if value == "-":
            break
        if not _INTERPRETED.match(value):
            raise Unsound("a program of its own, given as a text")
    return Inner()


_SPECIAL: Final[Mapping[str, Callable[[Arguments], Inner | None]]] = {
    "find": _find,
    "xargs": _xargs,
    "su": _su,
    "runuser": _su,
    "flock": _flock,
    "watch": _watch,
    "trap": _trap,
    "command": _command,
    "set": _set,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "sed": _sed,
}
