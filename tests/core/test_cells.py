import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import cells

FORMULAS = [
    '=HYPERLINK("http://evil.example","click")',
    "=1+1",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1,1)",
    "|calc",
    "%0A=1",
    "\t=1",
    "\n=1",
    "\r=1",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b=1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
    '"=1',
    "\x00=1",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_would_be_a_formula_is_text(formula: str) -> None:
    assert cells.text(formula)[0] in {"'", "␀", "␍"}


@pytest.mark.parametrize("text", ["SELECT 1", "support.copilot", "Zoë", "", "a = b", "2 + 2", "東京", "10.0.0.1"])
def test_honest_text_is_left_alone(text: str) -> None:
    assert cells.text(text) == text


def test_one_apostrophe_taken_off_gives_the_text_back() -> None:
    assert cells.text("'=1") == "''=1"


def test_what_cannot_be_seen_is_drawn() -> None:
    assert cells.text("a\x00b\x1bc\x7fd\re") == "a␀b␛c␡d␍e"
    assert cells.text("one\r\ntwo") == "one\ntwo"
    assert cells.text("half \ud800 pair") == "half ? pair"


def test_a_cell_is_cut_before_it_runs_into_the_next() -> None:
    cut = cells.text("x" * 40_000)
    assert len(cut) < cells.LONGEST
    assert cut.endswith("(cut here: 40,000 characters in all)")
    assert len(cells.text("😀" * 20_000).encode("utf-16-le")) // 2 <= cells.LONGEST
    assert cells.text("x" * cells.LONGEST) == "x" * cells.LONGEST


def test_numbers_stay_numbers_and_times_are_utc() -> None:
    assert cells.shown(-5) == -5
    assert cells.shown(-0.5) == -0.5
    assert cells.shown(Decimal("-1.5")) == Decimal("-1.5")
    assert cells.shown(None) == ""
    assert cells.shown(value=True) == "yes"
    assert cells.shown(UUID(int=1)) == "00000000-0000-0000-0000-000000000001"
    assert cells.shown(datetime(2026, 11, 25, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-25T00:00:00.000Z"
    assert cells.shown(datetime(2026, 11, 25, tzinfo=UTC).date()) == "2026-11-25"


def _read(pieces: list[str], delimiter: str = ",") -> list[list[str]]:
    whole = "".join(pieces)
    assert whole.startswith(cells.BOM)
    return list(csv.reader(io.StringIO(whole.removeprefix(cells.BOM), newline=""), delimiter=delimiter))


def test_a_csv_is_read_back() -> None:
    rows: list[list[cells.Value]] = [["a,b", 1, None], ['say "x"', -2.5, "two\nlines"]]
    assert _read(list(cells.csv_lines(["text", "number", "note"], rows))) == [
        ["text", "number", "note"],
        ["a,b", "1", ""],
        ['say "x"', "-2.5", "two\nlines"],
    ]


def test_a_long_csv_comes_in_pieces() -> None:
    pieces = list(cells.csv_lines(["n"], ([n] for n in range(1000))))
    assert len(pieces) == 6
    assert [row[0] for row in _read(pieces)[1:]] == [str(n) for n in range(1000)]


@given(
    st.lists(st.text(alphabet=st.sampled_from("=+-@|%'\";,\t\n\r ax\u200b\uff1d"), max_size=12), min_size=2, max_size=4)
)
def test_no_separator_makes_a_formula(row: list[str]) -> None:
    """Whatever separator a program's country has, and however it then reads the quotes, no cell begins like a formula."""
    whole = "".join(cells.csv_lines(["h"], [["first", *row]]))
    for separator in ",;\t":
        for cell in (cell for line in _read([whole], separator) for cell in line):
            seen = cell.lstrip(' "\t\n\u200b')
            assert not seen.startswith(("=", "+", "-", "@", "|", "%", "\uff1d")), (separator, cell)
