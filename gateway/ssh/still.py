"""Pure. Parts of a script that only look at something: where bash's arithmetic, tests and expansions may run a command after all, they are not believed.

An index of an array is arithmetic, and arithmetic expands what variables hold: `a[$(id)]`, stored anywhere, runs once a number is made of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tree_sitter import Node

from gateway.ssh.tree import everything_in, require_covered
from gateway.ssh.variables import require_plain_name
from gateway.ssh.words import EXPANSIONS, PLAIN, Unsound, read, text_of

_NUMBERS: Final = re.compile(r"[\s\d+*/%()<>=!&|^~?:-]*\Z")
_LOOKED_UP: Final = re.compile(
    r"\$\{#?[A-Za-z_0-9@*#?$-]\w*(?:\[(?:\d+|[@*])\])?(?:\}|:?[-+?]|##?|%%?|//?|\^\^?\}|,,?\})", re.ASCII
)
"""`${…}` that looks a variable up, cuts from it, or falls back to a text."""
_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_PATTERN: Final = re.compile(r"[\w.*?\[\]!/@%+:,=^|()\\ -]*\Z")
_LEAVES: Final = PLAIN | {"raw_string", "ansi_c_string", "brace_expression"}
_TEXTS: Final = frozenset({"string_content", "heredoc_start", "heredoc_end", "heredoc_content"})
_PATTERNS: Final = frozenset({"extglob_pattern", "regex"})


def require_leaf(node: Node) -> None:
    """Raise Unsound unless `node` is a text that holds no command."""
    if node.type in _LEAVES:
        read(node)
    elif node.type in _PATTERNS:
        if not _PATTERN.match(text_of(node)):
            raise Unsound("a pattern that the gate does not read")
    elif node.type not in _TEXTS:
        raise Unsound(f"a construct that the gate does not read ({node.type.replace('_', ' ')})")


def _comment(node: Node) -> Sequence[Node]:
    text = text_of(node)
    if not text.startswith("#") or "\n" in text:
        raise Unsound("a comment that is none")
    return ()


def _string(node: Node) -> Sequence[Node]:
    read(node)
    return [child for child in node.named_children if child.type != "string_content"]


def _substitution(node: Node) -> Sequence[Node]:
    """`$( … )` and its older form, in which backslashes mean something else."""
    text = text_of(node)
    if text.startswith("`") and "\\" in text:
        raise Unsound("a backslash between backquotes")
    require_covered(node)
    return node.children


def _compound(node: Node) -> Sequence[Node]:
    if text_of(node).startswith("(("):
        raise Unsound("arithmetic, which may run commands")
    require_covered(node)
    return node.children


def _arithmetic(node: Node) -> Sequence[Node]:
    text = text_of(node)
    if not (text.startswith("$((") and text.endswith("))") and _NUMBERS.match(text[3:-2])):
        raise Unsound("arithmetic, which may run commands")
    return ()


def _unread(_node: Node) -> Sequence[Node]:
    raise Unsound("arithmetic, which may run commands")


def _variable(node: Node) -> Sequence[Node]:
    if not re.fullmatch(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])", text_of(node), re.ASCII):
        raise Unsound("an expansion that the gate does not read")
    return ()


def _expansion(node: Node) -> Sequence[Node]:
    if not _LOOKED_UP.match(text_of(node)):
        raise Unsound("an expansion that the gate does not read")
    inside = [
        child
        for child in node.named_children
        if child.type not in {"variable_name", "subscript", "special_variable_name"}
    ]
    for child in inside:
        if child.type in _PATTERNS | PLAIN and set("$`\"'\\") & set(text_of(child)):
            raise Unsound("an expansion that the gate does not read")
    return inside


def _unset(node: Node) -> Sequence[Node]:
    require_covered(node)
    for child in node.children[1:]:
        require_plain_name(text_of(child) if child.type == "variable_name" else None)
    return ()


def _test(node: Node) -> Sequence[Node]:
    """`[ … ]` and `[[ … ]]`."""
    inside = list(everything_in(node))
    operators = {text_of(one) for one in inside if one.type == "test_operator"}
    double = text_of(node).startswith("[[")
    if {"-v", "-R"} & operators or (double and _COMPARES & operators) or any(one.type == "((" for one in inside):
        raise Unsound("a test that may run commands")
    found = list(_terms(node))
    if not double and any(one.type in EXPANSIONS for one in found):
        raise Unsound("a test whose words depend on what is expanded")
    return found


def _terms(node: Node) -> Sequence[Node]:
    """What a test compares."""
    require_covered(node)
    found: list[Node] = []
    for child in node.named_children:
        if child.type.endswith("_expression"):
            found += _terms(child)
        elif child.type != "test_operator":
            found.append(child)
    return found


CHECKS: Final[Mapping[str, Callable[[Node], Sequence[Node]]]] = {
    "comment": _comment,
    "string": _string,
    "command_substitution": _substitution,
    "compound_statement": _compound,
    "arithmetic_expansion": _arithmetic,
    "c_style_for_statement": _unread,
    "simple_expansion": _variable,
    "expansion": _expansion,
    "unset_command": _unset,
    "test_command": _test,
}
"""By kind of node: what in it is to be read in turn, once it is known to run nothing else."""
