import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.layout import laid_out


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        ("DELETE FROM a WHERE b = 1 AND c = 2", ["DELETE FROM a", "WHERE b = 1", "  AND c = 2"]),
        (
            "SELECT a FROM b LEFT JOIN c ON d = e ORDER BY a",
            ["SELECT a", "FROM b", "LEFT JOIN c ON d = e", "ORDER BY a"],
        ),
        ("SELECT (SELECT a FROM b) FROM c", ["SELECT (SELECT a FROM b)", "FROM c"]),
        ("SELECT a FROM b WHERE c BETWEEN 1 AND 2", ["SELECT a", "FROM b", "WHERE c BETWEEN 1 AND 2"]),
        ("SELECT ' FROM ' WHERE a IS DISTINCT FROM b", ["SELECT ' FROM '", "WHERE a IS DISTINCT FROM b"]),
        ("UPDATE a SET b = 1 WHERE c = 2", ["UPDATE a SET b = 1", "WHERE c = 2"]),
        ("SELECT a\nFROM b WHERE c", ["SELECT a", "FROM b WHERE c"]),
        ("what is ' this FROM", ["what is ' this FROM"]),
    ],
)
def test_clauses_begin_lines(sent: str, lines: list[str]) -> None:
    assert laid_out(sent).split("\n") == lines


PARTS = [
    "SELECT",
    "FROM",
    "WHERE",
    "a",
    "'x FROM y'",
    "(",
    ")",
    "AND",
    "/* FROM */",
    "-- FROM",
    " ",
    "  ",
    ",",
    "$$ WHERE $$",
]


@given(st.lists(st.sampled_from(PARTS), max_size=25))
def test_only_blanks_change(parts: list[str]) -> None:
    sent = "".join(parts)
    assert "".join(laid_out(sent).split()) == "".join(sent.split())
