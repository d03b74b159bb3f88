"""What was read of policies, written down and read again, is the same; nothing else is taken for a plan."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Invalid
from policies import parse, plan
from policies.parse import AT_ONCE, policies
from tests.policies.worlds import HELD, READS, WRITES

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
    assert plan.read(text, packed) == read  # now from memory


def test_whoever_is_in_no_hurry_rests() -> None:
    text = "\n".join(f'@id("p{n}") permit (principal, action, resource);' for n in range(AT_ONCE * 2 + 1))
    packed, rests = plan.write(policies(text)), list[int]()
    parse.forget()
    plan.read(text, packed, rest=lambda: rests.append(1))
    assert len(rests) == 2


def test_another_releases_plan_is_left_alone() -> None:
    other = zlib.compress(b"0" * 64 + b"\n" + zlib.decompress(plan.write(policies(READS))).partition(b"\n")[2])
    assert plan.read(READS, other) is None


@pytest.mark.parametrize(
    "lines", [b"1", b"x []", b"5 [1, 2]", b'5 ["permit", {}, [1], null, {}, [], [], false, ""]', b"7 \xff"]
)
def test_a_damaged_plan_is_refused(lines: bytes) -> None:
    with pytest.raises(Invalid, match=r"damaged|@id"):
        plan.read(READS, zlib.compress(f"{plan.made_by()}\n".encode() + lines))
    with pytest.raises(Invalid, match="damaged"):
        plan.read(READS, b"no zlib")
