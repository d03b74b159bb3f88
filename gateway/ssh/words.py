"""Pure. One word of a command line as bash would read it: its value where it can only have one, else that it cannot be told.

Bash manual, 3.1.2 (quoting) and 3.5 (expansions). The tree is tree-sitter's; what its tokens hold is read again here, so that a token which
bash would split, or expand, is never taken for a plain one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

_META: Final = frozenset(" \t\n;|&<>()`\"'$")
"""What ends or begins something where it stands bare in a word."""
_OPENS: Final = re.compile(r"(?<!\\)(?:\\\\)*(?:`|\$[A-Za-z0-9_{(@*#?$!\[-])")
"""What bash would expand between double quotes."""
_QUOTED_ESCAPES: Final = re.compile(r"\\([$`\"\\\n])")
_ANSI: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.))", re.DOTALL
)
_ANSI_LETTERS: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"',
    "?": "?",
}  # fmt: skip
EXPANSIONS: Final = frozenset(
    {"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion", "process_substitution"}
)
PLAIN: Final = frozenset(
    {"word", "number", "variable_name", "test_operator", "file_descriptor", "special_variable_name"}
)


class Unsound(Exception):
    """The tree and bash may not read this alike; `why` says what is the matter."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Word:
    """A word: its text as written, its value where it has exactly one, and whether it may become several or none."""

    text: str
    value: str | None = None
    splits: bool = False

    @property
    def fixed(self) -> bool:
        """Whether it has exactly one value."""
        return self.value is not None


def read(node: Node) -> Word:
    """The word that `node` is. Raises Unsound."""
    text = text_of(node)
    kind = node.type
    if kind == "command_name" and len(node.children) == 1:
        return read(node.children[0])
    if kind in EXPANSIONS or kind == "brace_expression":
        return Word(text, None, splits=True)
    how = _KINDS.get(kind)
    if how is None:
        raise Unsound(f"something in place of a word that the gate does not read ({kind.replace('_', ' ')})")
    return how(node, text)


def text_of(node: Node) -> str:
    """The text of a node. Raises Unsound for one without text."""
    if node.text is None or node.is_missing or node.is_error:
        raise Unsound("something that is not bash")
    return node.text.decode()


def _bare(text: str) -> tuple[str | None, bool]:
    """The value of an unquoted text, and whether it splits. Raises Unsound for one that bash would not take for one word."""
    found: list[str] = []
    expands, at = False, 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            if at + 1 == len(text):
                raise Unsound("a backslash with nothing after it")
            found.append("" if text[at + 1] == "\n" else text[at + 1])
            at += 2
            continue
        if character in _META:
            raise Unsound("a word that holds what would end it")
        expands |= character in "*?[" or (character in "{}" and text != "{}")
        expands |= character == "~" and (at == 0 or text[at - 1] in "=:")
        found.append(character)
        at += 1
    if text.startswith("#"):
        raise Unsound("a word that begins as a comment")
    return (None, True) if expands else ("".join(found), False)


def _plain(_node: Node, text: str) -> Word:
    return Word(text, *_bare(text))


def _raw(_node: Node, text: str) -> Word:
    if len(text) < 2 or text[0] != "'" or text[-1] != "'" or "'" in text[1:-1]:
        raise Unsound("a quotation that does not end where it seems to")
    return Word(text, text[1:-1])


def _between_quotes(node: Node, text: str) -> str | None:
    """The value between double quotes; None where something in it is expanded."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise Unsound("a quotation that does not end where it seems to")
    expanded = [child for child in node.named_children if child.type != "string_content"]
    require_still(node, expanded, text[1:-1])
    if expanded:
        return None
    inside = text[1:-1]
    if re.search(r'(?<!\\)(?:\\\\)*"', inside):
        raise Unsound("a quotation that ends before it seems to")
    return _QUOTED_ESCAPES.sub(lambda found: "" if found[1] == "\n" else found[1], inside)


def require_still(node: Node, expanded: list[Node], inside: str) -> None:
    """Raise Unsound where a text with expansions, once the known ones are taken out, holds another one."""
    if not expanded:
        rest = inside
    else:
        whole, begins = node.text or b"", node.start_byte
        parts, at = [], 0
        for child in expanded:
            parts.append(whole[at : child.start_byte - begins])
            at = child.end_byte - begins
        rest = b"\0".join([*parts, whole[at:]]).decode()
    if _OPENS.search(rest):
        raise Unsound("an expansion that the gate did not read")


def _ansi(text: str) -> str:
    """The value of `$'…'`."""
    inside = text[2:-1]
    if not (text.startswith("$'") and text.endswith("'")) or re.search(r"(?<!\\)(?:\\\\)*'", inside) or r"\c" in inside:
        raise Unsound("a quotation with escapes that the gate does not read")
    value = _ANSI.sub(_ansi_character, inside)
    if "\0" in value:
        raise Unsound("a NUL character")
    return value


def _ansi_character(found: re.Match[str]) -> str:
    by_hex, letter = found[1] or found[2] or found[3], found[5]
    if by_hex or found[4]:
        number = int(by_hex, 16) if by_hex else int(found[4], 8)
        if number > 127:
            raise Unsound("a character written by its number")
        return chr(number)
    if letter in _ANSI_LETTERS:
        return _ANSI_LETTERS[letter]
    raise Unsound("a quotation with escapes that the gate does not read")


def _joined(node: Node, text: str) -> Word:
    """Several quotations and texts without a space between them."""
    if text == "{}":
        return Word(text, text)
    words, at = [], node.start_byte
    for child in node.children:
        if child.start_byte != at:
            raise Unsound("a word with a gap in it")
        at = child.end_byte
        words.append(_piece(child))
    bare = "".join(word.text for word in words if word.text[:1] not in {"'", '"'})
    value = (
        None
        if any(word.value is None for word in words) or set("{}") & set(bare)
        else "".join(word.value or "" for word in words)
    )
    return Word(text, value, splits=any(word.splits for word in words) or (value is None and "{" in bare))


def _piece(node: Node) -> Word:
    """A part of a word: as a word, but a `#` or `~` may stand at its beginning, and anonymous tokens are texts."""
    if node.is_named:
        text = text_of(node)
        if node.type in PLAIN and text.startswith("#"):
            value, splits = _bare("x" + text)
            return Word(text, value[1:] if value is not None else None, splits)
        return read(node)
    text = text_of(node)
    if text == "$":
        raise Unsound("a dollar sign on its own")
    return Word(text, *_bare(text))


_KINDS: Final[Mapping[str, Callable[[Node, str], Word]]] = {
    **dict.fromkeys(PLAIN, _plain),
    "raw_string": _raw,
    "string": lambda node, text: Word(text, _between_quotes(node, text)),
    "ansi_c_string": lambda _node, text: Word(text, _ansi(text)),
    "concatenation": _joined,
}
