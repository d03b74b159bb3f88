"""SQL for people: what a text does in words, and the text with tagged constants hidden. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from pglast.parser import ParseError, fingerprint

from gateway.postgres.tree import Node, kind_of, parse, scan_tokens, strings
from gateway.refusal import Refusal

HIDDEN = "***"
UNREADABLE = "(a text that cannot be read as SQL)"

_CONSTANTS = frozenset({"SCONST", "USCONST", "ICONST", "FCONST", "BCONST", "XCONST"})
_WORDS = frozenset({"TRUE_P", "FALSE_P", "NULL_P"})


def shape(sql: str) -> str:
    """PostgreSQL's fingerprint of a text that parses; empty where it has none."""
    try:
        return str(fingerprint(sql))
    except (ParseError, ValueError):
        return ""


def shown(sql: str, masked: Collection[int]) -> str:
    """`sql` with the constants at these byte offsets replaced by ***, unchanged elsewhere.

    An offset where no constant is found hides every constant.
    """
    if not masked:
        return sql
    tokens = [token for token in scan_tokens(sql) if not token.name.endswith("COMMENT")]
    spans: list[tuple[int, int]] = []
    offsets = _byte_offsets(sql, tokens)
    for index, offset in enumerate(offsets):
        if offset in masked and (span := _constant_at(tokens, index)):
            spans.append(span)
    if len(spans) < len(set(masked)):
        return redacted(sql)
    return _without(sql, spans)


def redacted(sql: str) -> str:
    """`sql` with every constant replaced by ***: for texts that were refused before they were understood."""
    try:
        tokens = scan_tokens(sql)
    except Refusal:
        return UNREADABLE
    return _without(sql, [(token.start, token.end + 1) for token in tokens if token.name in _CONSTANTS])


def _byte_offsets(sql: str, tokens: list[Any]) -> list[int]:
    if sql.isascii():
        return [token.start for token in tokens]
    offsets, at, seen = [], 0, 0
    for token in tokens:
        at += len(sql[seen : token.start].encode())
        seen = token.start
        offsets.append(at)
    return offsets


def _constant_at(tokens: list[Any], index: int) -> tuple[int, int] | None:
    """The span of the constant that starts with a token: a sign before a number and a UESCAPE after belong to it."""
    token = tokens[index]
    if token.name in _CONSTANTS | _WORDS:
        following = [one.name for one in tokens[index + 1 : index + 3]]
        last = tokens[index + 2] if following == ["UESCAPE", "SCONST"] else token
        return token.start, last.end + 1
    if token.name == "ASCII_45" and index + 1 < len(tokens) and tokens[index + 1].name in _CONSTANTS:
        return token.start, tokens[index + 1].end + 1
    return None


def _without(sql: str, spans: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [sql[at:start], HIDDEN]
        at = end
    return "".join([*parts, sql[at:]])


# In words


def summary(sql: str) -> str:
    """What each statement of a text that parses does, in words, without its constants."""
    try:
        return "; then ".join(_statement(*kind_of(node["stmt"])) for node in parse(sql)) or "Does nothing"
    except RecursionError:
        return "Does something nested too deep to put in words"


def _statement(kind: str, fields: Node) -> str:
    phrase = _PHRASES.get(kind)
    if phrase is not None:
        return f"{_writes_within(fields)}{phrase(fields)}"
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.removesuffix("Stmt"))
    return f"Runs{words}"


def _writes_within(fields: Node) -> str:
    """WITH queries that write come first: they are what matters."""
    queries = [kind_of(item["CommonTableExpr"]["ctequery"]) for item in fields.get("withClause", {}).get("ctes", ())]
    return "".join(f"{_statement(kind, inner)}; then " for kind, inner in queries if kind != "SelectStmt")


def _table(fields: Node) -> str:
    name = str(fields["relname"])
    return f"{fields['schemaname']}.{name}" if "schemaname" in fields else name


def _from(items: list[Node]) -> str:
    names = [_from_name(*kind_of(item)) for item in items]
    return ", ".join(names)


def _from_name(kind: str, fields: Node) -> str:
    if kind == "RangeVar":
        return _table(fields)
    if kind == "JoinExpr":
        return f"{_from([fields['larg']])} and {_from([fields['rarg']])}"
    return "a subquery" if kind == "RangeSubselect" else "a function"


def _select(fields: Node) -> str:
    if "larg" in fields:
        return f"{_select(fields['larg'])}, combined with: {_select(fields['rarg']).removeprefix('Reads ')}"
    if "valuesLists" in fields:
        return "Reads given values"
    into = f" into {_table(fields['intoClause']['rel'])}" if "intoClause" in fields else ""
    what = _outputs(fields.get("targetList", []))
    if "fromClause" not in fields:
        return f"Computes {what}{into}"
    lock = ", locking them" if "lockingClause" in fields else ""
    return f"Reads {what} from {_from(fields['fromClause'])}{_where(fields)}{lock}{into}"


def _outputs(targets: list[Node]) -> str:
    return ", ".join(_output(target["ResTarget"]["val"]) for target in targets) or "rows"


def _output(val: Node) -> str:
    kind, fields = kind_of(val)
    if kind == "ColumnRef":
        return "every column" if "A_Star" in fields["fields"][-1] else ".".join(strings(fields["fields"]))
    if kind == "FuncCall":
        name = strings(fields["funcname"])[-1]
        return "a count" if name == "count" else f"{name}(…)"
    return "…"


def _insert(fields: Node) -> str:
    source = fields.get("selectStmt", {}).get("SelectStmt", {})
    table = _table(fields["relation"])
    if "valuesLists" in source:
        count = len(source["valuesLists"])
        return f"Adds {count} row{'s' if count > 1 else ''} to {table}"
    return f"Adds rows to {table}" if source else f"Adds a row of defaults to {table}"


def _update(fields: Node) -> str:
    changed = ", ".join(dict.fromkeys(item["ResTarget"]["name"] for item in fields["targetList"]))
    return f"Changes {changed} in {_table(fields['relation'])}{_where(fields, ' in every row')}"


def _delete(fields: Node) -> str:
    table = _table(fields["relation"])
    return (
        f"Deletes rows from {table}{_where(fields)}" if "whereClause" in fields else f"Deletes every row from {table}"
    )


def _copy(fields: Node) -> str:
    if "query" in fields:
        return "Copies out the result of a query"
    table = _table(fields["relation"])
    return f"Adds rows to {table} from the client" if fields.get("is_from") else f"Copies {table} out to the client"


def _truncate(fields: Node) -> str:
    return f"Empties {_from(fields['relations'])}"


def _where(fields: Node, everything: str = "") -> str:
    return f" where {_condition(fields['whereClause'])}" if "whereClause" in fields else everything


def _condition(node: Node) -> str:
    kind, fields = kind_of(node)
    if kind == "BoolExpr":
        parts = [_condition(arg) for arg in fields["args"]]
        if fields["boolop"] == "NOT_EXPR":
            return f"not ({parts[0]})"
        return (" and " if fields["boolop"] == "AND_EXPR" else " or ").join(
            f"({part})" if " or " in part else part for part in parts
        )
    if kind == "NullTest":
        return f"{_operand(fields['arg'])} is {'' if fields['nulltesttype'] == 'IS_NULL' else 'not '}null"
    return _comparison(fields) if kind == "A_Expr" else _operand(node)


def _comparison(fields: Node) -> str:
    kind, name = fields["kind"], strings(fields["name"])[-1]
    left = _operand(fields.get("lexpr", {}))
    if kind == "AEXPR_IN":
        return f"{left} {'in' if name == '=' else 'not in'} (…)"
    if "BETWEEN" in kind:
        return f"{left} {name.lower()} … and …"
    word = {"AEXPR_LIKE": "like", "AEXPR_ILIKE": "like", "AEXPR_SIMILAR": "similar to"}.get(kind, name)
    if word != name and name.startswith("!"):
        word = f"not {word}"
    return f"{left} {word} {_operand(fields.get('rexpr', {}))}".strip()


def _operand(node: Node) -> str:
    kind, fields = kind_of(node)
    if kind == "ColumnRef":
        return ".".join(strings(fields["fields"]))
    if kind == "FuncCall":
        return f"{strings(fields['funcname'])[-1]}(…)"
    if kind == "SubLink":
        return "a subquery"
    return _operand(fields["arg"]) if kind == "TypeCast" else "…"


_PHRASES: dict[str, Callable[[Node], str]] = {
    "CopyStmt": _copy,
    "DeclareCursorStmt": lambda fields: f"Opens a cursor: {_statement(*kind_of(fields['query']))}",
    "DeleteStmt": _delete,
    "ExecuteStmt": lambda fields: f"Runs the prepared statement {fields['name']}",
    "ExplainStmt": lambda fields: f"Explains: {_statement(*kind_of(fields['query']))}",
    "FetchStmt": lambda fields: f"Fetches from the cursor {fields['portalname']}",
    "InsertStmt": _insert,
    "LockStmt": lambda fields: f"Locks {_from(fields['relations'])}",
    "MergeStmt": lambda fields: f"Merges rows into {_table(fields['relation'])}",
    "PrepareStmt": lambda fields: f"Prepares {fields['name']}: {_statement(*kind_of(fields['query']))}",
    "SelectStmt": _select,
    "TransactionStmt": lambda fields: fields["kind"].removeprefix("TRANS_STMT_").replace("_", " ").capitalize(),
    "TruncateStmt": _truncate,
    "UpdateStmt": _update,
    "VariableSetStmt": lambda fields: f"Sets {fields.get('name', 'every setting')}",
    "VariableShowStmt": lambda fields: f"Shows {fields['name']}",
}
