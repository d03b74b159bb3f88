"""Pure. What of tree-sitter's tree is believed: bytes that belong to a token, here-documents that end where bash ends them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tree_sitter import Node

from gateway.ssh.words import Unsound, read, require_still, text_of

_GAP: Final = re.compile(rb"(?:[ \t\n]|\\\n)*\Z")
_BLANKS: Final = re.compile(rb"(?:[ \t]|\\\n)*\Z")
_ONE_LINE: Final = frozenset(
    {"command", "redirected_statement", "file_redirect", "herestring_redirect", "variable_assignment", "variable_assignments",
     "declaration_command", "unset_command", "negated_command", "concatenation"}
)  # fmt: skip
"""Nodes that a line's end would end, whatever stands before it."""


def require_covered(node: Node) -> None:
    """Raise Unsound where bytes of `node` belong to none of its children."""
    whole, begins, at = node.text or b"", node.start_byte, 0
    between = _BLANKS if node.type in _ONE_LINE else _GAP
    for child in node.children:
        gap = whole[at : child.start_byte - begins]
        if not between.match(gap):
            raise Unsound("something that the gate did not read")
        if gap and not gap.replace(b"\\\n", b""):
            raise Unsound("words that a line's end joins")  # bash takes it away, and what stood apart is one word
        at = max(at, child.end_byte - begins)
    if node.children and not _GAP.match(whole[at:]):
        raise Unsound("something that the gate did not read")


def everything_in(node: Node) -> Iterable[Node]:
    """All nodes below `node`."""
    for child in node.children:
        yield child
        yield from everything_in(child)


def is_only_comments(root: Node) -> bool:
    """Whether a script does nothing at all."""
    return all(child.type == "comment" for child in root.children)


def steps_of(node: Node) -> list[Node]:
    """The commands of `a && b && c`; none where anything but && joins them."""
    steps: list[Node] = []
    while node.type == "list":
        if len(node.children) != 3 or node.children[1].type != "&&":
            return []
        steps.insert(0, node.children[2])
        node = node.children[0]
    return [node, *steps]


def fed_by(redirects: Iterable[Node]) -> str | None:
    """What a command reads from standard input, where that is one text without expansions."""
    inputs = [one for one in redirects if one.type != "file_redirect" or b"<" in (one.text or b"")]
    if len(inputs) != 1 or inputs[0].children[0].type == "file_descriptor":
        return None
    node = inputs[0]
    if node.type == "herestring_redirect":
        return read(node.children[-1]).value
    body = next((child for child in node.children if child.type == "heredoc_body"), None)
    if (
        node.type != "heredoc_redirect"
        or body is None
        or body.named_children
        or node.children_by_field_name("redirect")
    ):
        return None
    return (body.text or b"").decode()


def require_ends(node: Node) -> None:
    """Raise Unsound unless a here-document ends where bash would end it, and expands what it seems to."""
    body = next((child for child in node.children if child.type == "heredoc_body"), None)
    start = next((child for child in node.children if child.type == "heredoc_start"), None)
    if body is None or start is None:
        raise Unsound("a here-document without an end")
    if node.children_by_field_name("argument"):
        raise Unsound("words after a redirection, which the gate does not read")
    ends = [child for child in node.children if child.type == "heredoc_end"]
    strips = node.children[0].type == "<<-" or any(child.type == "<<-" for child in node.children)
    raw = text_of(start)
    quoted = not raw.isalnum()
    delimiter = re.sub(r"[\"'\\]", "", raw)
    if not re.fullmatch(r"\w+", delimiter) or len(ends) != 1 or text_of(ends[0]).strip() != delimiter:
        raise Unsound("a here-document with an end that the gate does not read")
    text = (body.text or b"").decode()
    lines = [line.lstrip("\t") if strips else line for line in text.split("\n")]
    if delimiter in lines or (not quoted and "\\\n" in text):
        raise Unsound("a here-document that ends before it seems to")
    if not quoted:
        require_still(body, [child for child in body.named_children if child.type != "heredoc_content"], text)
