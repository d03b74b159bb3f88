"""What a command line comes down to, and that bash agrees."""

from __future__ import annotations

import os
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.refusal import Refusal
from gateway.ssh.commands import LONGEST, MOST_PARTS, understand
from gateway.ssh.parts import Part
from policies.verbs import SSH_EXEC, SSH_READ, SSH_UNKNOWN
from tests.gateway.ssh.corpus import LINES, Line

FOLDER = "/home/deploy"
STUBS = ("aa", "bb", "cc", "dd", "ee")
STARTERS = ("env", "nice", "timeout", "xargs", "bash", "sh")
FRAGMENTS = (
    *STUBS, " ", " ", "\t", "\n", ";", "&", "&&", "||", "|", "|&", "(", ")", "{ ", " }", "{", "}", "'", '"', "\\", "\\\n", "$(", "`", "$x", "${x}",
    "x=", "y=aa", "#", " # ", "<<E\n", "\nE\n", "<<'E'\n", "<<-E\n", "\tE\n", "<<<", "$'", "!", "[ ", " ]", "[[ ", " ]]", "if ", "then ", "fi", "do ",
    "done", "for i in ", "while ", "case ", "esac", " in ", ";;", "=", "((", "))", "$((", "<", "> f", "2>&1", "<(", ">(", "env ", "bash -c ", "sh -c ",
    "xargs ", "nice ", "timeout 3 ", "eval ", "exec ", "command ", "f() ", "f", "function ", "time ", "coproc ", "trap ", "~", "*", "?", "{a,b}", "$",
    "-", "\u00a0", "\r", "\x0b", "\u2003", "E", "a[0]=", "read ", "printf -v ", "test ", "-v ",
)  # fmt: skip
BEGINNINGS = (
    "",
    "",
    "aa ",
    "bash -c 'aa ",
    "if aa; then ",
    "aa $(",
    "cat <<E\n",
    "for i in a; do ",
    "{ aa; ",
    'aa "',
    "( ",
)
ENDINGS = ("", "", " '", ")", "; fi", "\nE\n", "; done", "; }", '"')


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text[:40])
def test_a_line_comes_down_to_these_parts(line: Line) -> None:
    parts = understand(line.text, folder=FOLDER)
    programs = [part.program for part in parts if part.verb == SSH_EXEC]
    files = [("<" if part.verb == SSH_READ else ">") + part.path for part in parts if part.path]
    whys = [part.why for part in parts if part.verb == SSH_UNKNOWN]
    assert (" ".join(programs), " ".join(files), whys[0] if whys else "") == (line.programs, line.files, line.why)


def test_the_corpus_is_worth_the_name() -> None:
    assert len({line.text for line in LINES}) >= 120
    assert sum(bool(line.why) for line in LINES) > 60


def test_what_a_starter_starts_says_through_what() -> None:
    parts = understand("sudo timeout 5 systemctl restart x", folder=FOLDER)
    assert [part.through for part in parts] == [(), ("sudo",), ("sudo", "timeout")]


def test_arguments_that_depend_on_something_are_not_fixed() -> None:
    (part,) = understand("systemctl status $unit", folder=FOLDER)
    assert part == Part(SSH_EXEC, "systemctl status $unit", "systemctl", ("status", "$unit"), fixed=False)


def test_quotes_make_no_difference() -> None:
    assert understand("r\\m '-rf' \"x\"", folder=FOLDER) == understand("rm -rf x", folder=FOLDER)


@pytest.mark.parametrize(
    "text",
    ["a" * (LONGEST + 1), "ls\0", "; ".join(f"p{n}" for n in range(MOST_PARTS + 1))],
    ids=["long", "NUL", "parts"],
)
def test_what_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        understand(text, folder=FOLDER)
    assert refused.value.code == "too_long"


@pytest.mark.parametrize(
    "text",
    ["(" * 4_000 + "ls" + ")" * 4_000, "$(" * 3_000, "a && " * 3_000 + "a", "`" * 9_999, "{" * 9_999, "<<E " * 3_000, "if ls; then " * 1_000],
    ids=["subshells", "substitutions", "list", "backquotes", "braces", "documents", "ifs"],
)  # fmt: skip
def test_depth_and_length_cost_no_time(text: str) -> None:
    began = time.perf_counter()
    with suppress(Refusal):
        assert any(part.verb == SSH_UNKNOWN for part in understand(text, folder=FOLDER))
    assert time.perf_counter() - began < 5  # a loaded machine included; alone it is 30 ms


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join) | st.text(max_size=80))
def test_nothing_crashes_it(text: str) -> None:
    try:
        for part in understand(text, folder=FOLDER):
            assert bool(part.why) == (part.verb == SSH_UNKNOWN)
    except Refusal:
        assert "\0" in text


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of programs that do nothing but write down that they ran."""
    folder = tmp_path_factory.mktemp("programs")
    for name in STUBS:
        stub = folder / name
        stub.write_text(f"#!/bin/sh\necho {name} >> started\necho bb\n")
        stub.chmod(0o755)
    for name in STARTERS:
        (folder / name).symlink_to(f"/usr/bin/{name}" if os.path.exists(f"/usr/bin/{name}") else f"/bin/{name}")  # noqa: PTH110
    return folder


@pytest.mark.parametrize("text", ["env =x ee dd", "env 1a=b ee", "sudo a-b=c ee", "env LANG=C PATH=x ee"])
def test_whatever_env_takes_for_a_variable_is_none_of_the_command(text: str) -> None:
    assert any(part.verb == SSH_UNKNOWN for part in understand(text, folder=FOLDER))


@pytest.mark.parametrize(
    "text", ["nice >f rm x", "xargs <<E rm\nx\nE", "bash <<E <f\nls\nE", "bash <<'E' 3<&0 <f\nls\nE"], ids=["after a file", "after a document", "another input", "two"],
)  # fmt: skip
def test_words_and_inputs_around_a_redirection_hide_nothing(text: str) -> None:
    assert any(part.verb == SSH_UNKNOWN for part in understand(text, folder=FOLDER))


@pytest.mark.parametrize("text", ["cc\\\n#;ee", "ls\\\n# x", "E ''\n\\\nee dd", "aa $(E ''\n\\\nee dd)"])
def test_words_that_a_lines_end_joins_or_parts_are_not_told_apart(text: str) -> None:
    assert any(part.verb == SSH_UNKNOWN for part in understand(text, folder=FOLDER))


def test_bash_starts_nothing_that_was_not_listed(programs: Path, tmp_path: Path) -> None:
    """Lines put together at random: whichever the gate takes for known, bash starts no program beyond those in its list."""
    chosen, started_any, known = random.Random(20), 0, 0
    while known < 60:
        line = (
            chosen.choice(BEGINNINGS)
            + "".join(chosen.choices(FRAGMENTS, k=chosen.randint(1, 12)))
            + chosen.choice(ENDINGS)
        )
        parts = understand(line, folder=FOLDER)
        if any(part.verb == SSH_UNKNOWN for part in parts):
            continue
        known += 1
        folder = tmp_path / str(known)  # of its own: what runs on in the background is another line's
        folder.mkdir()
        subprocess.run(
            ["/usr/bin/env", "-i", f"PATH={programs}", "/bin/bash", "--noprofile", "--norc", "-c", line],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        log = folder / "started"
        started = set(log.read_text().split()) if log.exists() else set()
        started_any += bool(started)
        assert started <= {part.program for part in parts}, line
    assert started_any > 10


@pytest.mark.parametrize(
    ("text", "programs"),
    [("a\\\n;b", ["a", "b"]), ("E\n\\\nee dd", ["E", "ee"]), ("aa $(E\n\\\nee dd)", ["E", "ee", "aa"]), ("ec\\\nho x", ["echo"]), ("a\\\\\nb", ["a\\", "b"])],
)  # fmt: skip
def test_a_line_that_goes_on_is_one_line(text: str, programs: list[str]) -> None:
    assert [part.program for part in understand(text, folder=FOLDER)] == programs
