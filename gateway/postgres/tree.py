"""From bytes to PostgreSQL's own parse tree, or a refusal. Pure.

The tree is the JSON of libpg_query: a node is `{"Kind": {fields}}`, an absent node `{}` or a missing key. Offsets in it
are byte offsets into the UTF-8 text.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pglast.parser import ParseError, parse_sql_json, scan

from gateway.refusal import Refusal

Node = dict[str, Any]

MOST_BYTES = 1_000_000
"""A longer text is refused unread."""

MOST_TREE = 48_000_000
"""Bytes of JSON; nothing of an honest statement under MOST_BYTES comes near."""

MOST_STATEMENTS = 1000
"""Statements in one text."""

MOST_REPEATED = 300_000
"""Columns in all `SET (a, b, …) = …` times bytes of text: the tree repeats the right side once for each column."""

SHORT = 300
"""Characters of a text too short to be amplified."""

_SET = re.compile(r"\bset\b", re.IGNORECASE)


def decode(sql: str | bytes) -> str:
    """The text of a statement.

    Raises Refusal when it is not UTF-8, holds a NUL byte (the parser would stop reading there) or is over-long.
    """
    try:
        raw = sql.encode() if isinstance(sql, str) else sql
        text = sql if isinstance(sql, str) else raw.decode()
    except UnicodeError:
        raise Refusal("The statement is not valid UTF-8.", code="not_utf8", sqlstate="22021") from None
    if "\0" in text:
        raise Refusal("The statement holds a NUL byte.", code="nul_byte", sqlstate="22021")
    if len(raw) > MOST_BYTES:
        raise Refusal(f"The statement is longer than {MOST_BYTES:,} bytes.", code="too_long", sqlstate="54000")
    return text


def parse(text: str) -> list[Node]:
    """The statements of `text`, each `{"stmt": node, "stmt_location": …, "stmt_len": …}`; none for an empty text.

    Raises Refusal (SQLSTATE 42601 as PostgreSQL would, or 54001 when nested too deep to be read).
    """
    if len(text) > SHORT and _SET.search(text):
        _refuse_amplification(text)
    try:
        tree = parse_sql_json(text)
        if len(tree) > MOST_TREE:
            raise Refusal("The statement is too large to be read.", code="too_long", sqlstate="54000")
        statements: list[Node] = json.loads(tree).get("stmts", [])
    except ParseError as error:
        raise Refusal(f"The statement does not parse: {error}", code="syntax_error", sqlstate="42601") from None
    except RecursionError:
        raise too_deep() from None
    if len(statements) > MOST_STATEMENTS:
        raise Refusal("Too many statements in one text.", code="too_long", sqlstate="54000")
    return statements


def too_deep() -> Refusal:
    """The refusal of a statement nested beyond what the gate reads."""
    return Refusal("The statement is nested too deep to be read.", code="too_deep", sqlstate="54001")


def _refuse_amplification(text: str) -> None:
    """Refuse `(…) =` lists so long that the tree, which repeats their right sides, would fill the memory."""
    lists: list[tuple[bool, int]] = []
    closed = assigned = 0
    before = ""
    for token in scan_tokens(text):
        name = token.name
        if name.endswith("COMMENT"):
            continue
        if name == "ASCII_40":
            lists.append((before in {"SET", "ASCII_44"}, 1))
        elif name == "ASCII_44" and lists:
            lists[-1] = (lists[-1][0], lists[-1][1] + 1)
        elif name == "ASCII_61" and before == "ASCII_41":
            assigned += closed
        if name == "ASCII_41" and lists:
            assignable, length = lists.pop()
            closed = length if assignable else 0
        before = name
    if assigned * len(text) > MOST_REPEATED:
        raise Refusal("Too many columns are assigned at once.", code="too_long", sqlstate="54000")


def scan_tokens(text: str) -> list[Any]:
    """The lexer's tokens, with character offsets (`end` inclusive). Raises Refusal when they cannot be read."""
    try:
        return list(scan(text))
    except (ParseError, ValueError) as error:
        raise Refusal(f"The statement does not parse: {error}", code="syntax_error", sqlstate="42601") from None


def kind_of(node: Node | None) -> tuple[str, Node]:
    """A node's kind and its fields; `("", {})` for an absent one."""
    if node:
        for kind, fields in node.items():
            return kind, fields
    return "", {}


def strings(nodes: list[Node]) -> list[str]:
    """The values of a list of String nodes, `*` for a star: names as written, quoting resolved by the parser."""
    return [node["String"]["sval"] if "String" in node else "*" for node in nodes]


def constant_text(node: Node | None) -> str | None:
    """A constant as text, through casts; None for NULL and for everything that is no constant."""
    kind, fields = kind_of(node)
    if kind == "TypeCast":
        return constant_text(fields.get("arg"))
    if kind != "A_Const" or fields.get("isnull"):
        return None
    for form, key in (("sval", "sval"), ("fval", "fval"), ("bsval", "bsval")):
        if form in fields:
            return str(fields[form].get(key, ""))
    if "boolval" in fields:
        return "on" if fields["boolval"].get("boolval") else "off"
    return str(fields.get("ival", {}).get("ival", 0))
