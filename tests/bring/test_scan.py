"""What a scan suggests, and what it leaves alone."""

from __future__ import annotations

import pytest

from agents.scan import Column, is_card_number, is_iban, is_phone, is_ssn, suggest

CARDS = ["4539 1488 0343 6467", "5425-2334-3010-9903", "4716461583322103", "378282246310005"]


def tag_of(name: str, values: list[str | None], table: str = "things") -> str:
    found = suggest(Column("public", table, name), values)
    return found.tag if found else ""


@pytest.mark.parametrize(
    ("name", "values", "tag"),
    [
        ("reach_at", ["a@example.com", "b.c@example.co.uk", "d@x.org"], "email"),
        ("x1", CARDS, "card_number"),
        ("x2", ["123-45-6789", "078-05-1120", "219-09-9999"], "ssn"),
        ("x3", ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606"], "iban"),
        ("x4", ["+49 30 901820", "(030) 901-820", "+1 415-555-0132"], "phone"),
        ("firstName", [], "name"),
        ("E_Mail", [None, ""], "email"),
        ("cardNumber", [], "card_number"),
        ("mobile", [], "phone"),
    ],
)
def test_what_holds_personal_data_is_found(name: str, values: list[str | None], tag: str) -> None:
    assert tag_of(name, values) == tag


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id", ["4539148803436468", "1234567890123456", "9999999999999999"]),  # no Luhn, no issuer
        ("born", ["1980-01-31", "2001-12-01", "1999-07-08"]),
        ("created_at", ["2024-01-02 10:11:12", "2024-01-02 10:11:13", "2024-01-02 10:11:14"]),
        ("total", ["12.50", "1200.00", "3.99"]),
        ("note", ["write to a@example.com", "nothing", "call back"]),
        ("number", ["0012345", "77", "1200345"]),
        ("filename", ["a.txt", "b.txt", "c.txt"]),
        ("company", []),
        ("x", ["a@example.com", "b@example.com"]),  # too few to say
    ],
)
def test_what_does_not_is_left_alone(name: str, values: list[str | None]) -> None:
    assert tag_of(name, values) == ""


def test_a_plain_name_is_a_persons_in_a_table_of_persons_only() -> None:
    assert tag_of("name", [], "customers") == "name"
    assert tag_of("name", [], "products") == ""


def test_the_evidence_names_no_value() -> None:
    found = suggest(Column("public", "t", "c"), [*CARDS, "oops"])
    assert found is not None
    assert found.because == "4 of 5 sampled values are card numbers that pass the Luhn check."


def test_checksums_decide() -> None:
    assert is_card_number("4539148803436467")
    assert not is_card_number("4539148803436468")
    assert not is_card_number("2222222222222224"[:12])
    assert is_iban("DE89370400440532013000")
    assert not is_iban("DE88370400440532013000")
    assert not is_ssn("000-12-3456")
    assert not is_ssn("900-12-3456")
    assert not is_phone("2024-01-02")
