"""A Markdown document of ours as HTML for a page, and as the sections that a search looks through. Pure: no Django, no I/O.

Raw HTML in a document is shown as text, never taken as markup: what comes out is safe under any policy of a browser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable("table")
_PLACE: Final = re.compile(r"/(?:[a-z][\w.-]*/)+")
_JOINTS: Final = re.compile(r"(?<=.)([/_:.,=](?=[\w\[]))")
_NOT_IN_ANCHORS: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Addresses:
    """How a document's targets become addresses: of another document, of a picture, of a page of the console.

    `place` is given what stands in backticks and looks like a page's path; empty when there is no such page.
    """

    document: Callable[[str], str]
    picture: Callable[[str], str]
    place: Callable[[str], str]


@dataclass(frozen=True)
class Section:
    """A heading, its anchor (the one that GitHub gives it), and the words below it until the next."""

    anchor: str
    heading: str
    level: int
    text: str


@dataclass(frozen=True)
class Document:
    """A document without its title; the first section is what stands before any other heading."""

    title: str
    html: str
    sections: tuple[Section, ...]


def read(text: str, addresses: Addresses) -> Document:
    """Read a document; it must begin with a first-level heading."""
    tokens = _PARSER.parse(text)
    sections = tuple(_sections(tokens))
    body = tokens[3:]  # the heading's opening, words and end
    for place in range(len(body)):
        _dress(body, place, addresses)
    return Document(sections[0].heading, _PARSER.renderer.render(body, _PARSER.options, {}), sections)


def links(text: str) -> Iterator[tuple[str, str, str]]:
    """Each link of a list that is all a document's contents are: the heading above it, its target, the words after it."""
    heading = ""
    tokens = _PARSER.parse(text)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type != "inline" or before is None:
            continue
        if before.type == "heading_open":
            heading = token.content
        children = token.children or []
        if children and children[0].type == "link_open" and heading:
            end = next(place for place, child in enumerate(children) if child.type == "link_close")
            yield heading, str(children[0].attrs["href"]), words(children[end + 1 :]).removeprefix(": ")


def _code(renderer: object, tokens: Sequence[Token], place: int, options: object, env: Any) -> str:  # noqa: ANN401
    """Code within a sentence, that may break where a name has a joint: a narrow table then keeps its columns."""
    shown = _JOINTS.sub(r"\1<wbr>", escape(tokens[place].content, quote=False))
    return f"<code>{shown}</code>"


_PARSER.add_render_rule("code_inline", _code)


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return _NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-")


def words(children: Sequence[Token] | None) -> str:
    """What a reader sees of some inline tokens."""
    return "".join(" " if child.type in {"softbreak", "hardbreak"} else child.content for child in children or [])


def _sections(tokens: Sequence[Token]) -> Iterator[Section]:
    heading, level, pieces = "", 0, list[str]()
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "heading_open":
            if level:
                yield Section(anchor(heading), heading, level, " ".join(pieces))
            level, pieces = int(token.tag[1:]), []
        elif before is not None and before.type == "heading_open":
            heading = words(token.children)
        elif token.type == "inline":
            pieces.append(words(token.children))
        elif token.type == "fence":
            pieces.append(token.content)
    yield Section(anchor(heading), heading, level, " ".join(pieces))


def _dress(tokens: Sequence[Token], place: int, addresses: Addresses) -> None:
    """Give a token what the page needs: anchors, addresses, the console's table."""
    token = tokens[place]
    if token.type == "heading_open":
        token.attrSet("id", anchor(words(tokens[place + 1].children)))
    elif token.type == "table_open":
        token.attrSet("class", "table-x")
    elif token.type == "th_open" and not tokens[place + 1].content:
        token.tag = tokens[place + 2].tag = "td"  # a header without words is not one
    elif token.type == "inline":
        token.children = [piece for child in token.children or [] for piece in _inline(child, addresses)]


def _inline(token: Token, addresses: Addresses) -> list[Token]:
    if token.type == "link_open":
        target = str(token.attrs["href"])
        if re.match(r"https?://", target):
            token.attrSet("rel", "noreferrer")
        elif not target.startswith("#"):
            token.attrSet("href", addresses.document(target))
    elif token.type == "image":
        token.attrSet("src", addresses.picture(str(token.attrs["src"])))
        token.attrSet("loading", "lazy")
    elif token.type == "code_inline" and _PLACE.fullmatch(token.content) and (to := addresses.place(token.content)):
        return [Token("link_open", "a", 1, attrs={"href": to}), token, Token("link_close", "a", -1)]
    return [token]
