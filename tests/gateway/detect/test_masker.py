"""A text in pieces: however it is cut, the same is found, and no more is held than has to be."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.detectors.forms import Form
from agents.detectors.known import KNOWN, Strategy
from agents.detectors.masker import Masker, masked
from agents.detectors.own import check
from agents.detectors.scanner import TO_SEE, Own, Scanner

OWN = [Own("customer", "CU-[0-9]{4,9}[^x]")]
ALL = Scanner(
    {
        **dict.fromkeys(KNOWN, Strategy.REDACT),
        "customer": Strategy.PARTIAL,
        "email": Strategy.HASH,
        "jwt": Strategy.HASH,
    },
    OWN,
    b"k" * 32,
)
CARD = "4111 1111 1111 1111"
SESSION = b"a \x1b[1m4111\x1b[0m1111 1111\x1b]0;title\x07 1111\x1b[K end\x1b[0m and ann@exa\x1b[31mmple.com\r\n"


def passed(text: bytes, cuts: list[int], form: Form, scanner: Scanner = ALL) -> tuple[bytes, dict[str, int]]:
    masker = Masker(scanner, form)
    places = [0, *sorted(cuts), len(text)]
    out = [masker.feed(text[one:other]) for one, other in pairwise(places)]
    return b"".join(out) + masker.end(), dict(masker.counts)


EVERY = "\n".join([*(one.example for one in KNOWN.values()), "CU-12345 CU-9999\nCU-1", "x" * 700 + CARD])
TEXTS = [(EVERY.encode(), Form.TEXT), (json.dumps({"a": EVERY, "n": [4111111111111111, 1]}).encode(), Form.JSON), (SESSION + EVERY.encode(), Form.FIT)]  # fmt: skip
forms = pytest.mark.parametrize(("text", "form"), TEXTS, ids=["text", "json", "terminal"])


@pytest.mark.parametrize("form", Form)
def test_a_value_is_found_wherever_the_text_is_cut(form: Form) -> None:
    for name, one in KNOWN.items():
        text = json.dumps({"a": f"see {one.example}, there"}).encode()
        whole = passed(text, [], form)
        assert name in whole[1] or name == "url_password"
        assert all(passed(text, [cut], form) == whole for cut in range(len(text)))


@forms
@pytest.mark.parametrize("size", [1, 3, 64])
def test_and_in_however_small_pieces(text: bytes, form: Form, size: int) -> None:
    whole = passed(text, [], form)
    assert whole[1].keys() >= {"card_number", "customer", "email", "private_key", "jwt"}
    assert passed(text, list(range(0, len(text), size)), form) == whole


PIECES = st.lists(st.sampled_from([*(one.example for one in KNOWN.values()), "CU-55555", " ", "\n", "\r", "4111", "-", "1", "a@", "@b.example", "ey", '"', "\\", "\\n",
                                   "\\u0034", "\x1b[1m", "\x1b", "-----END PRIVATE KEY-----", "{", ":", "é"]), max_size=12)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, data=st.data(), form=st.sampled_from(Form))
def test_any_split_gives_the_same_as_the_whole(pieces: list[str], data: st.DataObject, form: Form) -> None:
    text = "".join(pieces).encode()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    out, counts = passed(text, cuts, form)
    assert (out, counts) == passed(text, [], form)
    assert form is not Form.FIT or len(out) == len(text)


def test_nothing_of_a_line_that_is_over_is_held_back_and_little_of_one_that_is_not() -> None:
    masker = Masker(ALL)
    assert masker.feed(b"data: 0\n\n") == b"data: 0\n\n"
    assert masker.feed(b"x" * 100_000) == b"x" * (100_000 - TO_SEE)
    assert len(masker.end()) == TO_SEE


def test_memory_is_bounded_however_long_a_value_or_a_line_is() -> None:
    masker = Masker(ALL)
    masker.feed(b"-----BEGIN PRIVATE KEY-----\n")
    for _ in range(100):
        masker.feed(b"A" * 10_000)
        assert len(masker._view) < 2_000
    assert masker.end() == b"***"


def test_json_stays_json() -> None:
    said = {
        "n": 4111111111111111,
        "list": [4111111111111111],
        "text": f"nr\n{CARD}\t.",
        "deep": json.dumps({"x": CARD}),
    }
    out, counts = masked(json.dumps(said).encode(), ALL, Form.JSON)
    assert json.loads(out) == {"n": None, "list": [None], "text": "nr\n***\t.", "deep": '{"x": "***"}'}
    assert counts == {"card_number": 4}


@pytest.mark.parametrize(
    "hidden", [r"\u0034111 1111 1111 1111", r"4111\u00201111 1111 1111", r"AKIA\u0049OSFODNN7EXAMPLE"]
)
def test_an_escape_hides_nothing(hidden: str) -> None:
    assert masked(f'{{"a": "{hidden}"}}'.encode(), ALL, Form.JSON)[0] == b'{"a": "***"}'


def test_json_without_a_value_passes_to_the_byte() -> None:
    text = rb'{"a": "\u00e9\n\\ \" ", "b": [1.50, -2e5, true],  "c": null}'
    assert masked(text, ALL, Form.JSON) == (text, {})


def test_a_terminals_columns_stay_and_its_escapes_too() -> None:
    out, counts = masked(SESSION, ALL, Form.FIT)
    assert len(out) == len(SESSION)
    assert counts == {"card_number": 1, "email": 1}
    assert b"1111" not in out
    assert b"\x1b]0;title\x07" in out


def test_strategies() -> None:
    def of(strategy: Strategy, text: bytes, key: bytes = b"k" * 32) -> bytes:
        return masked(text, Scanner(dict.fromkeys(["card_number", "email"], strategy), key=key))[0]

    text = CARD.encode()
    assert of(Strategy.REDACT, text) == b"***"
    assert of(Strategy.PARTIAL, text) == b"***1111"
    assert of(Strategy.PARTIAL, b"a@bc.de") == b"***"
    hashed = of(Strategy.HASH, text)
    assert hashed == of(Strategy.HASH, text)
    assert hashed.startswith(b"card_number:")
    assert hashed != of(Strategy.HASH, text, b"j" * 32)
    assert masked(text, Scanner({"card_number": Strategy.PARTIAL}), Form.FIT)[0] == b"*" * 15 + b"1111"


def test_a_customers_own_pattern_stays_in_its_line() -> None:
    scanner = Scanner({"mine": Strategy.REDACT}, [check("mine", "ID[^b]{4,9}", "ID12345")])
    assert masked(b"ID12\n34567 ID765432 ", scanner)[0] == b"ID12\n34567 ***"


def test_without_detectors_nothing_is_looked_at() -> None:
    masker = Masker(Scanner({}))
    assert masker.feed(b"4111") + masker.end() == b"4111"
