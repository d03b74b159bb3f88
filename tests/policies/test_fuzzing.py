"""Bad policy text in every form, ten thousand files of it, gives line and reason, never a traceback, and never replaces what is active."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Invalid
from policies import actions
from policies.check import Registry, check
from policies.parse import policies
from policies.queries import active, registry
from tests.cast import Cast
from tests.policies.generated import WORLD, texts
from tests.policies.worlds import HELD, READS

FILES, PARTS = 10_000, 4
REGISTRY = Registry(groups={"dba", "security"}, tags={"email"}, uids=WORLD.uids())
DEMO = "".join(
    path.read_text() for path in sorted((Path(__file__).parents[2] / "console/demo/policies").glob("*.cedar"))
)
PIECES = (
    '"', "\\", "//", ";", "(", ")", "{", "}", "@", "@id", '@hold("dba:1")', "@severity", '@breakglass("")', "?principal",
    "when", "unless", "permit", "forbid", "context.time.now", 'ip("")', 'datetime("x")', "9223372036854775808", "-", "like",
    "\0", "\r", "\x85", "\u202e", "\ud800", "é", "\U0001f600", "🏳️", "/*", "if", "has", "==", "::", "[", "]", "!" * 40, "(" * 40,
)  # fmt: skip


def _cut(text: str, chosen: random.Random) -> str:
    begin = chosen.randrange(len(text) + 1)
    return text[:begin] + text[begin + chosen.randint(1, 30) :]


def _put(text: str, chosen: random.Random) -> str:
    place = chosen.randrange(len(text) + 1)
    return text[:place] + chosen.choice(PIECES) + text[place:]


def _swap(text: str, chosen: random.Random) -> str:
    words = text.split(" ")
    one, other = chosen.randrange(len(words)), chosen.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def _turn(text: str, chosen: random.Random) -> str:
    place = chosen.randrange(len(text) + 1)
    return text[:place] + chr(chosen.choice((chosen.randrange(128), chosen.randrange(0x11_0000)))) + text[place + 1 :]


def _double(text: str, chosen: random.Random) -> str:
    begin = chosen.randrange(len(text) + 1)
    return text[:begin] + text[begin : begin + 60] * chosen.randint(2, 9) + text[begin:]


def _noise(_text: str, chosen: random.Random) -> str:
    return "".join(chosen.choice(PIECES) for _ in range(chosen.randint(1, 40)))


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (_cut, _put, _swap, _turn, _double, _cut, _put, _noise)


def fuzzed(chosen: random.Random) -> str:
    """A text that was right, changed one to four times."""
    text = chosen.choice((texts(chosen), READS + HELD, DEMO[: chosen.randrange(len(DEMO))]))
    for _ in range(chosen.randint(1, 4)):
        text = chosen.choice(CHANGES)(text, chosen)
    return text


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_wrong_has_its_line_and_its_reason(part: int) -> None:
    chosen, wrong = random.Random(part), 0
    for _ in range(FILES // PARTS):
        text = fuzzed(chosen)
        problems = check(text, REGISTRY)
        lines = text.count("\n") + 1
        assert all(1 <= problem.line <= lines and problem.reason.strip() for problem in problems), text
        wrong += bool(problems)
        if not problems:
            policies(text)  # what passes can be used
    assert wrong > FILES // PARTS // 2


@pytest.mark.django_db
def test_what_is_wrong_never_replaces_what_is_active(cast: Cast) -> None:
    first, chosen = actions.install(READS, actor=cast.engineer), random.Random(7)
    for _ in range(60):
        text = fuzzed(chosen)
        if not check(text, registry()):
            continue
        with pytest.raises(Invalid, match="Line"):
            actions.draft(text, actor=cast.engineer)
    assert active() == first
