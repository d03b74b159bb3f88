"""What a command wrote is read as lines; what a terminal drew, without what moves the cursor."""

from __future__ import annotations

import pytest

from audit.output import Line, lines

COMMAND = [{"name": "stream", "masked": False}, {"name": "text", "masked": False}]
TERMINAL = [{"name": "at", "masked": False}, {"name": "stream", "masked": False}, {"name": "data", "masked": False}]


def test_lines_of_a_command() -> None:
    assert lines(COMMAND, [["out", "a  b"], ["error", "c"]]) == [Line("out", "a  b"), Line("error", "c")]


def test_rows_of_a_table_are_none() -> None:
    assert lines([{"name": "id"}, {"name": "text"}], [["1", "a"]]) == []


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("\x1b[?2004hbash-5.2# ls\r\n\x1b[01;34metc\x1b[0m\r\n", ["bash-5.2# ls", "etc", ""]),
        ("\x1b]0;title\x07x", ["x"]),
        ("lsx\x08 \x08\r\n", ["ls", ""]),
        ("10%\r20%\r100%\r\ndone", ["100%", "done"]),
        ("\x1b(Bx\x1b7y", ["xy"]),
    ],
)
def test_lines_of_a_terminal(written: str, seen: list[str]) -> None:
    rows = [["0.1", "out", written[:3]], ["0.2", "in", "typed"], ["0.3", "out", written[3:]]]
    assert [line.text for line in lines(TERMINAL, rows)] == seen
