"""What was read of policies, written down and read again, is the same; nothing else is taken for a plan."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Invalid
from policies import parse, plan
from policies.evaluate import Code, Engine, Verdict
from policies.parse import policies
from tests.policies.worlds import HELD, READS, WORLD, WRITES, ask

PACKS = Path(plan.__file__).parent / "packs"
ODD = """
// A comment before, and "quotes; inside".
@id("odd") @why("ünïcode; // no comment") @unmask("email, phone") @limit("10")
permit (principal is Agent in Function::"support", action in [Action::"sql:select", Action::"sql:insert"], resource is Resource)
when { context has args && context.args has amount && context.args.amount < 10 && principal.purpose == "x" };
@id("all") forbid (principal, action, resource) when { context == context };
// after the last
"""


@pytest.fixture(autouse=True)
def unread() -> Iterator[None]:
    """Nothing is remembered."""
    parse.forget()
    yield
    parse.forget()


def texts() -> list[str]:
    """Policies of every kind: the starter packs', and odd ones."""
    return [*(path.read_text(encoding="utf-8") for path in PACKS.rglob("*.cedar")), READS + WRITES + HELD, ODD]


@pytest.mark.parametrize("text", texts())
def test_a_plan_says_what_was_read(text: str) -> None:
    read = policies(text)
    packed = plan.write(read)
    parse.forget()
    again = plan.read(text, packed)
    assert again is not None
    assert list(again.items()) == list(read.items())
    assert {type(one) for policy in again.values() for one in (policy.scope, policy.reads, policy.names)} == {
        type(one) for policy in read.values() for one in (policy.scope, policy.reads, policy.names)
    }
    assert (again.reads, again.groups, again.tags) == (read.reads, read.groups, read.tags)
    assert again.index.table == read.index.table
    assert plan.read(text, packed) == read  # now from memory


def test_a_policy_is_read_when_it_is_looked_at() -> None:
    packed = plan.write(policies(READS + WRITES + HELD))
    parse.forget()
    planned = plan.read(READS + WRITES + HELD, packed)
    assert planned is not None
    assert (list(planned), "held" in planned, len(planned)) == (["reads", "writes", "held"], True, 3)
    assert planned.groups == {"dba", "security"}
    assert planned["writes"].text == WRITES
    assert list(parse._known) == [WRITES]
    with pytest.raises(KeyError):
        planned["none"]


def test_another_releases_plan_is_left_alone() -> None:
    other = zlib.compress(b"0" * 64 + b"\n" + zlib.decompress(plan.write(policies(READS))).partition(b"\n")[2])
    assert plan.read(READS, other) is None


HEAD = '{"names": ["reads"], "sizes": [5], "reads": [], "index": {}, "groups": [], "tags": []}'


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "1",
        "{}",
        "[1]",
        HEAD,
        f"{HEAD}\n[]\n[]",
        HEAD.replace("5", "9999") + "\n[]",
        HEAD.replace("[5]", "[5, 5]") + "\n[]",
    ],
)
def test_a_plan_that_is_not_of_its_text_is_refused(lines: str) -> None:
    with pytest.raises(Invalid, match="damaged"):
        plan.read(READS, zlib.compress(f"{plan.made_by()}\n{lines}".encode()))
    with pytest.raises(Invalid, match="damaged"):
        plan.read(READS, b"no zlib")


@pytest.mark.parametrize("line", ["", "x", "[1, 2]", '["permit", {}, [1], null, {}, [], [], false, ""]'])
def test_a_damaged_line_denies_whatever_meets_its_policy(line: str) -> None:
    first, head, _ = zlib.decompress(plan.write(policies(READS))).decode().split("\n")
    parse.forget()
    damaged = plan.read(READS, zlib.compress(f"{first}\n{head}\n{line}".encode()))
    assert damaged is not None
    with pytest.raises(Invalid, match=r"damaged|@id"):
        damaged["reads"]
    decision = Engine.build(READS, WORLD, version=1, rules=damaged).decide(ask("sql:select"))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.ENGINE_ERROR)


def test_a_plan_that_was_used_knows_the_texts_of_its_policies_for_the_next_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = plan.write(policies(READS + WRITES))
    parse.forget()
    assert plan.read(READS + WRITES, packed) is not None
    read: list[str] = []
    monkeypatch.setattr(parse, "templates", read.append)
    assert list(policies(READS + WRITES)) == ["reads", "writes"]
    assert read == []  # Cedar read nothing
    monkeypatch.undo()
    new = policies(WRITES + HELD)
    assert (list(new), new["writes"].scope.resource) == (["writes", "held"], ("Resource", "shop"))
    parse.forget()
    assert parse.known(READS) is None
