"""What is asked as coloured, escaped pieces: what a page shows is exactly the text given. Pure: no Django, no I/O.

Tokens of SQL come from PostgreSQL's own scanner (pglast), so a keyword is one only where PostgreSQL reads it as one. An operation with
its arguments in JSON begins with its name, a request to an API with its method. Text that cannot be scanned is shown plain, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from pglast.parser import ParseError, scan

from approvals.lookalike import Oddity, find

_STRINGS = frozenset({"SCONST", "USCONST", "BCONST", "XCONST"})
_NUMBERS = frozenset({"ICONST", "FCONST", "PARAM"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_KEYWORDS = frozenset({"RESERVED_KEYWORD", "UNRESERVED_KEYWORD", "COL_NAME_KEYWORD", "TYPE_FUNC_NAME_KEYWORD"})
# Names of types and functions are keywords to the grammar, but read as names.
_READ_AS_NAMES = re.compile(
    r"(?i)(?:name|type|value|data|text|date|time|timestamp|interval|level|content|day|month|year|key)$"
)
_OPERATION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+ \{\n|[A-Z]{3,7} /\S*\n")
SHELL = re.compile(r"(?:/[^\n]*)?\$ |sftp> ")
"""How the text of a command on a host begins: as after a prompt."""
_WORDS = re.compile(
    r"(?P<string>'[^']*'|\"(?:[^\"\\]|\\.)*\")|(?P<comment>(?<!\S)#[^\n]*)|(?<![\w./-])(?P<number>\d+)(?![\w./-])|"
    r"(?<![\w./-])(?P<keyword>sudo|doas|su|eval|exec|if|then|else|elif|fi|for|in|do|done|while|until|case|esac|function)(?![\w./-])"
)
_JSON = re.compile(
    r'(?P<name>"(?:[^"\\\n]|\\.)*"(?=:))|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|\b(?P<keyword>true|false|null)\b'
)
_MASKED = re.compile(r"'?\*\*\*'?")


@dataclass(frozen=True)
class Piece:
    """A run of one kind: `keyword`, `string`, `number`, `comment`, `masked`, `odd` or empty; `note` explains an odd one."""

    kind: str
    text: str
    note: str = ""

    @property
    def shown(self) -> str:
        """What a page draws: the code point for what would draw nothing."""
        if self.kind == "odd" and " invisible " in self.note:
            return f"U+{ord(self.text):04X}"
        return self.text


@dataclass(frozen=True)
class Line:
    """One line of the text, its pieces and whether it needs a second look."""

    pieces: tuple[Piece, ...]
    warn: bool


def lines(sql: str) -> list[Line]:
    """`sql` line by line. Joined by newlines, the pieces' texts are `sql` again, character for character."""
    odd = find(sql)
    pieces = [piece for run in _runs(sql) for piece in _oddities_apart(run, sql, odd)]
    return [Line(tuple(line), any(piece.kind == "odd" for piece in line)) for line in _by_line(pieces)]


def plain(text: str) -> list[Piece]:
    """`text` with its odd characters apart, nothing else coloured."""
    return list(_oddities_apart(_Run(0, len(text), ""), text, find(text)))


def cautions(sql: str) -> list[str]:
    """One sentence for each line that holds odd characters; at most five, then how many more."""
    by_line: dict[int, list[Oddity]] = {}
    for oddity in find(sql):
        by_line.setdefault(sql.count("\n", 0, oddity.at) + 1, []).append(oddity)
    sentences = [
        f"Line {number} holds {_and(dict.fromkeys(one.says for one in odd))}." for number, odd in by_line.items()
    ]
    return [*sentences[:5], f"And {len(sentences) - 5} more lines."] if len(sentences) > 6 else sentences


@dataclass(frozen=True)
class _Run:
    start: int
    end: int
    kind: str


def _runs(sql: str) -> Iterator[_Run]:
    """The whole text as consecutive runs, gaps between tokens included."""
    at = 0
    for run in _tokens(sql):
        if run.start > at:
            yield _Run(at, run.start, "")
        yield run
        at = run.end
    if at < len(sql):
        yield _Run(at, len(sql), "")


def _tokens(sql: str) -> list[_Run]:
    """Tokens of interest, in characters; none where the scanner gives up."""
    begins = _OPERATION.match(sql)
    if begins:
        found = _JSON.finditer(sql, begins.end())
        return [_Run(one.start(), one.end(), _json_kind(one)) for one in found if one["name"] is None]
    shell = SHELL.match(sql)
    if shell:
        return [_Run(one.start(), one.end(), str(one.lastgroup)) for one in _WORDS.finditer(sql, shell.end())]
    try:
        tokens = scan(sql)
    except (ParseError, UnicodeError):
        return []
    runs = [
        _Run(token.start, token.end + 1, _kind(token.name, token.kind, sql[token.start : token.end + 1]))
        for token in tokens
    ]
    ordered = all(a.end <= b.start for a, b in pairwise(runs)) and all(run.end <= len(sql) for run in runs)
    return [run for run in runs if run.kind] if ordered else []


def _json_kind(found: re.Match[str]) -> str:
    return "masked" if found[0] == '"***"' else str(found.lastgroup)


def _kind(name: str, keyword: str, text: str) -> str:
    if _MASKED.fullmatch(text):
        return "masked"
    if name in _STRINGS:
        return "string"
    if name in _NUMBERS:
        return "number"
    if name in _COMMENTS:
        return "comment"
    return "keyword" if keyword in _KEYWORDS and not _READ_AS_NAMES.match(text) else ""


def _oddities_apart(run: _Run, sql: str, odd: tuple[Oddity, ...]) -> Iterator[Piece]:
    """The run's text, each odd character a piece of its own."""
    at = run.start
    for oddity in odd:
        if not run.start <= oddity.at < run.end:
            continue
        if oddity.at > at:
            yield Piece(run.kind, sql[at : oddity.at])
        yield Piece("odd", oddity.character, oddity.says)
        at = oddity.at + 1
    if at < run.end:
        yield Piece(run.kind, sql[at : run.end])


def _by_line(pieces: Iterable[Piece]) -> list[list[Piece]]:
    found: list[list[Piece]] = [[]]
    for piece in pieces:
        first, *rest = piece.text.split("\n")
        found[-1].append(Piece(piece.kind, first, piece.note))
        found.extend([Piece(piece.kind, part, piece.note)] for part in rest)
    return [[piece for piece in line if piece.text] for line in found]


def _and(parts: Iterable[str]) -> str:
    *most, last = list(parts)
    return f"{', '.join(most)} and {last}" if most else last
