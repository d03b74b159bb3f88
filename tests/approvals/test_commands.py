"""A held command for people: its parts, the sentence about them, and its text, which is never laid out anew."""

from __future__ import annotations

from typing import Any

import pytest

from approvals import commands, highlight
from approvals.layout import laid_out

PARTS: dict[str, Any] = {
    "parts": [
        {"verb": "ssh:exec", "text": "sudo systemctl restart x", "path": "", "why": "", "through": [], "alone": "hold"},
        {
            "verb": "ssh:exec",
            "text": "systemctl restart x",
            "path": "",
            "why": "",
            "through": ["sudo"],
            "alone": "allow",
        },
        {"verb": "ssh:write", "text": "> log", "path": "/srv/log", "why": "", "through": [], "alone": "deny"},
    ]
}


def test_each_part_has_its_own_answer() -> None:
    found = commands.parts_of("ssh:exec", PARTS)
    assert [(part.how, part.alone) for part in found] == [
        ("", "hold"),
        ("through sudo", "allow"),
        ("writes a file", "deny"),
    ]
    assert commands.heading(found) == "shell, split into 3 parts"
    assert commands.parts_of("sql:delete", PARTS) == []
    assert commands.parts_of("ssh:exec", None) == []


@pytest.mark.parametrize(
    ("verb", "estimate", "says"),
    [
        ("ssh:exec", PARTS, "Starts 2 programs and writes 1 file on web-07."),
        ("ssh:exec", None, "Runs on web-07 as it is shown, once."),
        ("ssh:unknown", {"parts": [{"verb": "ssh:unknown"}]}, "Some of it cannot be told before it runs."),
        ("ssh:terminal", None, "Opens a terminal on web-07: whatever is typed in it happens."),
    ],
)
def test_one_sentence_says_what_it_does(verb: str, estimate: dict[str, Any] | None, says: str) -> None:
    assert commands.says(verb, estimate, "web-07") == says


@pytest.mark.parametrize(
    "text", ["$ echo select a from b where c", "/srv $ echo a from b", "sftp> write /values from x"]
)
def test_a_command_is_never_laid_out(text: str) -> None:
    assert laid_out(text) == text


def test_a_command_is_coloured_as_one() -> None:
    pieces = [
        (piece.kind, piece.text)
        for line in highlight.lines("$ sudo head -n 20 'a b' # why\nselect")
        for piece in line.pieces
    ]
    assert [one for one in pieces if one[0]] == [
        ("keyword", "sudo"),
        ("number", "20"),
        ("string", "'a b'"),
        ("comment", "# why"),
    ]
    assert "".join(text for _, text in pieces) == "$ sudo head -n 20 'a b' # whyselect"
