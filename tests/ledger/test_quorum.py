"""The file that says which witnesses make a checkpoint final: read as C2SP tlog-policy says, or refused by line."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from ledger.checkpoint import COSIGNER, VerifierKey
from ledger.quorum import Quorum, read_policy


def key(number: int) -> str:
    return str(VerifierKey(f"w.example/{number}", bytes([number]) * 32, COSIGNER))


TWO_ORGANISATIONS = f"""
# X runs three, Y two
log {VerifierKey("a.log", bytes(32))} https://log.example
witness X1 {key(1)} https://x1.example
witness X2 {key(2)} http://x2.example/
\twitness  X3\t{key(3)}
group X any X1 X2 X3
witness Y1 {key(4)}
witness Y2 {key(5)}
group Y 1 Y1 Y2
group both all X Y
quorum both
"""


@pytest.mark.parametrize(
    ("cosigned", "met"),
    [((), False), (("X1", "X2", "X3"), False), (("X3", "Y1"), True), (("Y1", "Y2"), False), (("X1", "Y2", "Z"), True)],
)
def test_witnesses_of_one_organisation_count_once(cosigned: tuple[str, ...], met: bool) -> None:
    assert read_policy(TWO_ORGANISATIONS).is_met(cosigned) is met


def test_what_is_read() -> None:
    found = read_policy(TWO_ORGANISATIONS)
    assert [one.url for one in found.witnesses.values()] == ["https://x1.example", "http://x2.example", "", "", ""]
    one = found.witnesses["X2"]
    assert found.name_of(one.key.key_id.hex(), one.key.name) == "X2"
    assert found.name_of("00000000", one.key.name) == ""


def test_one_witness_may_decide_and_without_a_quorum_nothing_is_final() -> None:
    assert read_policy(f"witness a {key(1)}\nquorum a").is_met(["a"])
    for nothing in (read_policy("quorum none"), read_policy(f"witness a {key(1)}\nquorum none"), Quorum()):
        assert not nothing.is_met(["a"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no quorum lines"),
        ("quorum none\nquorum none", "2 quorum lines"),
        ("quorum a", "Line 1.*a is not defined"),
        ("# x\nnonsense\nquorum none", "Line 2.*none of"),
        ("witness a x\nquorum none", "Line 1"),
        (f"witness a {VerifierKey('a.log', bytes(32))}\nquorum none", "Line 1.*a witness's"),
        (f"log {key(1)}\nquorum none", "Line 1.*a log's"),
        (f"witness a {key(1)}\nwitness b {key(1)}\nquorum none", "Line 2.*twice"),
        (f"witness a {key(1)}\nwitness a {key(2)}\nquorum none", "Line 2.*taken"),
        (f"witness none {key(1)}\nquorum none", "Line 1.*taken"),
        (f"witness a {key(1)} ftp://x\nquorum none", "Line 1.*no address"),
        (f"witness a {key(1)}\ngroup g 2 a\nquorum g", "Line 2.*no number"),
        (f"witness a {key(1)}\ngroup g 0 a\nquorum g", "Line 2.*no number"),
        (f"witness a {key(1)}\ngroup g 1 a a\nquorum g", "Line 2.*twice"),
        (f"witness a {key(1)}\ngroup g 1 h\nquorum g", "Line 2.*not defined"),
        (f"witness a {key(1)}\ngroup g 1 a\ngroup h 1 a\nquorum g", "Line 3.*twice"),
        ("\n" * 2_000, "more than 1000 lines"),
    ],
)
def test_what_is_wrong_is_named_by_line(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_policy(text)
