"""Pure. A command line becomes every program that would start and every file that would be opened: what is not read for sure is unknown.

tree-sitter's bash grammar gives the tree. Only kinds of nodes that are listed here are believed, every byte has to belong to a token, and what a
token holds is read again (`words.py`). Commands inside substitutions, here-documents, functions and other programs' arguments are found too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from gateway.refusal import Refusal
from gateway.ssh import still
from gateway.ssh.parts import Part, absolute, file_part, program_part, unclear
from gateway.ssh.starters import Inner, can_start, inner_of
from gateway.ssh.tree import fed_by, is_only_comments, require_covered, require_ends, steps_of
from gateway.ssh.variables import PLAIN_VARIABLES, require_plain_name, require_plain_setting
from gateway.ssh.words import Unsound, Word, read, text_of
from policies.verbs import SSH_EXEC, SSH_READ, SSH_WRITE

LONGEST: Final = 16_384
"""Bytes of a command line."""
MOST_PARTS: Final = 64
DEEPEST: Final = 60
"""Nodes inside nodes."""
SCRIPTS: Final = 4
"""Scripts inside scripts, as in `sh -c "sh -c …"`."""
_PASSED: Final = frozenset(
    {
        "program", "pipeline", "subshell", "if_statement", "elif_clause", "else_clause", "while_statement", "do_group", "case_statement",
        "case_item", "negated_command", "process_substitution", "concatenation", "herestring_redirect", "heredoc_body", "variable_assignments",
    }
)  # fmt: skip
"""Nodes that hold others, and mean nothing more."""
_STATEMENTS: Final = frozenset(
    {"command", "redirected_statement", "declaration_command", "variable_assignment", "test_command", "unset_command", "compound_statement",
     "c_style_for_statement", "for_statement", "function_definition", "if_statement", "while_statement", "case_statement"}
)  # fmt: skip
"""Nodes after which reading goes on, should they not be understood."""
_MOVES: Final = frozenset({"cd", "pushd", "popd"})
_WRITES: Final = frozenset({">", ">>", ">|", "&>", "&>>", ">&"})
_CONTINUED: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\\n")
_DECLARED: Final = re.compile(r"-[arAg]+\Z")


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def parsed(text: str) -> Node:
    """The tree of a script, as bash would read it."""
    return _parser().parse(_joined(text).encode("utf-8", "surrogatepass")).root_node


def understand(text: str, *, folder: str) -> tuple[Part, ...]:
    """The parts of a command line that starts in `folder`; none for an empty one. Raises Refusal for one that is too large to be looked at."""
    if "\0" in text or len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise Refusal(
            f"A command has at most {LONGEST} bytes, and no NUL.", code="too_long", remedy="Put it in a file."
        )
    found = _Reading(folder)
    found.script(text)
    if len(found.parts) > MOST_PARTS:
        raise Refusal(f"The command comes down to more than {MOST_PARTS} parts.", code="too_long", remedy="Split it.")
    return tuple(dict.fromkeys(found.parts))


def is_odd(text: str) -> bool:
    """Whether a text holds characters that bash and its reader may take for different things."""
    return any(
        character not in "\n\t " and unicodedata.category(character) in {"Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co"}
        for character in text
    )


class _Reading:
    """What was found so far, and where the command would be by then. `folder` is None once that cannot be told."""

    def __init__(self, folder: str | None) -> None:
        self.parts: list[Part] = []
        self._folder = folder
        self._through: tuple[str, ...] = ()
        self._depth = self._scripts = 0
        self._handlers: Mapping[str, Callable[[Node], None]] = {
            "command": self._command,
            "redirected_statement": self._redirected,
            "list": self._list,
            "variable_assignment": self._assignment,
            "declaration_command": self._declaration,
            "function_definition": self._function,
            "for_statement": self._for,
            "array": self._array,
            "heredoc_redirect": self._heredoc,
            "file_redirect": self._file,
            **dict.fromkeys(still.CHECKS, self._checked),
        }

    def _unclear(self, text: str, why: str) -> None:
        self.parts.append(unclear(text, why, self._through))

    # ---- scripts and nodes ----
    def script(self, text: str) -> None:
        """Read a script, as bash would be given it."""
        self._scripts += 1
        if self._scripts > SCRIPTS:
            self._unclear(text, "shells inside shells inside shells")
        elif is_odd(text):
            self._unclear(text, "a character that is not what it looks like")
        else:
            self._tree(text)
        self._scripts -= 1

    def _tree(self, text: str) -> None:
        root = parsed(text)
        before = len(self.parts)
        if root.has_error:
            self._unclear(text, "it is not bash as the gate reads it")
            return
        try:
            self.walk(root)
        except Unsound as error:
            self._unclear(text, error.why)
        if len(self.parts) == before and not is_only_comments(root):
            self.parts.append(Part(SSH_EXEC, text.strip()[:300], "true"))  # it looks at something, and starts nothing

    def walk(self, node: Node) -> None:
        """Read a node. Raises Unsound where what is inside cannot be told apart."""
        if len(self.parts) > MOST_PARTS:
            return
        self._depth += 1
        try:
            self._read(node)
        except Unsound as error:
            if node.type not in _STATEMENTS:
                raise
            self._unclear(text_of(node), error.why)  # what comes after it is looked at all the same
        finally:
            self._depth -= 1

    def _read(self, node: Node) -> None:
        handler = self._handlers.get(node.type)
        if self._depth > DEEPEST:
            raise Unsound("it is nested too deep")
        if handler is not None:
            handler(node)
        elif node.type in _PASSED:
            self._children(node)
        elif node.is_named:
            still.require_leaf(node)

    def _children(self, node: Node) -> None:
        if node.type != "heredoc_body":  # whose text is looked at as a whole
            require_covered(node)
        for child in node.children:
            self.walk(child)

    def _checked(self, node: Node) -> None:
        """A node that may look at things but, once checked, runs only the commands inside it."""
        for child in still.CHECKS[node.type](node):
            self.walk(child)

    # ---- commands ----
    def _command(self, node: Node, redirects: Sequence[Node] = ()) -> None:
        require_covered(node)
        redirects = [*[child for child in node.children if child.type.endswith("_redirect")], *redirects]
        words: list[Word] = []
        for child in node.children:
            if child.type == "variable_assignment":
                self._into_environment(child)
            elif not child.type.endswith("_redirect"):
                words.append(read(child))
                self._inside(node, child.children[0] if child.type == "command_name" else child)
        if words:
            self._start(words, fed_by(redirects))
        for redirect in redirects:
            self.walk(redirect)

    def _inside(self, command: Node, word: Node) -> None:
        """The commands within a word; whatever cannot be told of it, the command's program is known."""
        try:
            self.walk(word)
        except Unsound as error:
            self._unclear(text_of(command), error.why)

    def _into_environment(self, node: Node) -> None:
        """`NAME=value` before a command, or exported."""
        name = node.child_by_field_name("name")
        if name is None or text_of(name) not in PLAIN_VARIABLES:
            self._unclear(text_of(node), "a variable that may change what programs do")
        self._value(node)

    def _start(self, words: Sequence[Word], fed: str | None, *, appended: bool = False) -> None:
        """A program with its arguments, and what it starts in turn. `fed` is what it reads, where that is known."""
        name, arguments = words[0], words[1:]
        part = program_part(name, arguments, self._through, self._folder, appended=appended)
        self.parts.append(part)
        base = part.program.rpartition("/")[2]
        try:
            require_plain_setting(base, arguments)
            found = inner_of(base, arguments)
            if found is not None:
                self._inner(part, found, fed, appended=appended or found.appended)
        except Unsound as error:
            self._unclear(part.text, error.why)
        else:
            if appended and ("{}" in name.text or (found is None and can_start(base))):
                self._unclear(part.text, "what it starts depends on what is read")
        if base in _MOVES:
            self._folder = None

    def _inner(self, part: Part, found: Inner, fed: str | None, *, appended: bool) -> None:
        through, self._through = self._through, (*self._through, part.program)
        try:
            if found.words:
                self._start(found.words, None, appended=appended)
            elif appended:
                raise Unsound("what it runs depends on what is read")
            elif found.script is not None:
                self.script(found.script)
            elif found.file is not None:
                self.parts.append(program_part(_as_path(found.file), (), self._through, self._folder))
            elif fed is not None and found.reads_bash:
                self.script(fed)
            else:
                raise Unsound("it runs what it reads, and that cannot be told")
        finally:
            self._through = through

    # ---- statements ----
    def _list(self, node: Node, redirects: Sequence[Node] = ()) -> None:
        """`cd DIR && …` moves what follows; whatever else moves leaves the directory unknown."""
        require_covered(node)
        steps = steps_of(node)
        moved = _moved_to(steps[0], self._folder) if steps else None
        *most, last = steps if moved else node.children
        for step in most:
            self.walk(step)
            self._folder = moved or self._folder
        self._last(last, redirects)
        self._folder = None if moved else self._folder

    def _last(self, node: Node, redirects: Sequence[Node]) -> None:
        """A statement with the redirections after it, which the grammar hangs on the whole list."""
        if node.type == "command":
            self._command(node, redirects)
            return
        if node.type == "list":
            self._list(node, redirects)
            return
        self.walk(node)
        for redirect in redirects:
            self.walk(redirect)

    def _redirected(self, node: Node) -> None:
        require_covered(node)
        body = node.child_by_field_name("body")
        redirects = [child for child in node.children if child != body]
        if body is not None:
            self._last(body, redirects)
            return
        for redirect in redirects:
            self.walk(redirect)

    def _function(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        require_plain_name(text_of(name) if name is not None else None)
        self._children(node)

    def _for(self, node: Node) -> None:
        name = node.child_by_field_name("variable")
        require_plain_name(text_of(name) if name is not None else None)
        self._children(node)

    # ---- variables ----
    def _assignment(self, node: Node) -> None:
        """A variable of this shell, which is none of bash's own."""
        name = node.child_by_field_name("name")
        text = text_of(name) if name is not None else ""
        require_plain_name(re.sub(r"\[\d{1,6}\]\Z", "", text))
        self._value(node)

    def _value(self, node: Node) -> None:
        require_covered(node)
        value = node.child_by_field_name("value")
        if value is not None:
            if value.type != "array":
                read(value)
            self.walk(value)

    def _array(self, node: Node) -> None:
        require_covered(node)
        for child in node.named_children:
            if text_of(child).startswith("["):
                raise Unsound("an index, which may run commands")
            read(child)
            self.walk(child)

    def _declaration(self, node: Node) -> None:
        """`export`, `local`, `readonly`, `declare`."""
        require_covered(node)
        exports = text_of(node).startswith("export")
        for child in node.children[1:]:
            if child.type == "variable_assignment":
                (self._into_environment if exports else self._assignment)(child)
            elif child.type == "variable_name":
                if exports and text_of(child) not in PLAIN_VARIABLES:
                    raise Unsound("a variable that may change what programs do")
            elif not _DECLARED.match(text_of(child)):
                raise Unsound("a declaration that may change what the rest means")

    # ---- redirections ----
    def _heredoc(self, node: Node) -> None:
        require_ends(node)
        for child in node.children:
            self.walk(child)

    def _file(self, node: Node) -> None:
        require_covered(node)
        target = node.child_by_field_name("destination")
        sign = next((child.type for child in node.children if not child.is_named), "")
        if sign in {">&-", "<&-"}:
            return
        if target is None or len(node.children_by_field_name("destination")) > 1:
            raise Unsound("words after a redirection, which the gate does not read")
        self.walk(target)
        word = read(target)
        if target.type == "process_substitution" or _is_descriptor(sign, word):
            return
        if sign != "<" and sign not in _WRITES:
            raise Unsound("a redirection that the gate does not read")
        part = file_part(SSH_READ if sign == "<" else SSH_WRITE, word, text_of(node), self._folder)
        self.parts += [part] if part is not None else []


def _joined(text: str) -> str:
    """`text` without the line ends that a backslash takes away, as bash takes them away before it reads a word.

    Where quotes, comments or here-documents could keep one, all stay, and what stands around them is looked at (`tree.py`).
    """
    if "'" in text or "#" in text or "<<" in text:
        return text
    return _CONTINUED.sub(r"\1", text)


def _is_descriptor(sign: str, word: Word) -> bool:
    return sign in {">&", "<&"} and word.value is not None and re.fullmatch(r"\d{1,4}-?|-", word.value) is not None


def _as_path(file: Word) -> Word:
    """A script's name, which is looked for where the command is and not by PATH."""
    plain = file.value is not None and "/" not in file.value
    return Word(file.text, f"./{file.value}") if plain else file


def _moved_to(node: Node, folder: str | None) -> str | None:
    """Where `cd DIR` goes; None for any other command."""
    if node.type != "command" or len(node.children) != 2:
        return None
    name, target = (read(child) for child in node.children)
    if name.value != "cd" or target.value is None or target.value.startswith("-"):
        return None
    try:
        return absolute(target.value, folder)
    except Unsound:
        return None
