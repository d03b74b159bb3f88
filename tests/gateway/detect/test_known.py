"""What each detector finds, and what it takes for nothing."""

from __future__ import annotations

import pytest

from agents.detectors.known import KNOWN, USUAL, WIDTH, Group, Strategy
from agents.detectors.masker import masked
from agents.detectors.scanner import Scanner

ALL = Scanner(dict.fromkeys(KNOWN, Strategy.REDACT))


def found(text: str, scanner: Scanner = ALL) -> set[str]:
    return set(masked(text.encode(), scanner)[1])


@pytest.mark.parametrize("name", KNOWN)
def test_each_finds_its_example_alone_and_in_a_sentence(name: str) -> None:
    example = KNOWN[name].example
    scanner = Scanner({name: Strategy.REDACT})
    for text in (example, f"It is {example}, they say.", f'{{"value": "{example}"}}'):
        out, counts = masked(text.encode(), scanner)
        assert counts == {name: 1}
        assert example.encode() not in out


@pytest.mark.parametrize(
    "name",
    [one.name for one in KNOWN.values() if one.accept is not None and one.name not in {"phone", "ssn", "uk_nino"}],
)
def test_each_checks_the_checksum(name: str) -> None:
    """Another digit, and it is no such number."""
    example = KNOWN[name].example
    at = next(place for place in range(len(example) - 2, 0, -1) if example[place].isdigit())
    wrong = example[:at] + str((int(example[at]) + 1) % 10) + example[at + 1 :]
    assert name not in found(f"It is {wrong}.", Scanner({name: Strategy.REDACT}))


CARDS = ["4111111111111111", "4111-1111-1111-1111", "5555555555554444", "2223003122003222", "378282246310005", "3782 822463 10005", "6011111111111117",
         "3530111333300000", "30569309025904"]  # fmt: skip


@pytest.mark.parametrize("card", CARDS)
def test_cards_of_each_brand(card: str) -> None:
    assert found(f"card={card};") == {"card_number"}


def test_a_card_among_other_groups_of_digits_is_found() -> None:
    assert masked(b"5100 4111 1111 1111 1111 and more", ALL)[0] == b"5100 *** and more"


NOTHING = [
    "4111 1111 1111 1112", "0.4111111111111111", "4111111111111111.5", "54111111111111111", "a4111111111111111", "4111-11111111 1111",
    "4111-1111-1111-1111-2222", "1111111111111111", "2026-11-26T10:22:33.123456Z", "550e8400-e29b-41d4-a716-446655440000",
    "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120", "1536-90-43990",
    "AKIAIOSFODNN7EXAMPL", "ghp_short", "GB29 NWBK 6016 1331 9268 18", "XX89370400440532013000", "eyJhbGciOi", "sk_live_", "GB123456C",
    "https://example.com/a:b@c", "-----BEGIN PUBLIC KEY-----", "@example.com", "me@localhost",
]  # fmt: skip


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_so_is_nothing(text: str) -> None:
    assert not found(f"see {text} there") - {"phone", "url_password"} - ({"email"} if "://" in text else set())


def test_an_iban_ends_where_its_country_says() -> None:
    assert masked(b"BE68 5390 0754 7034 USD1 paid", ALL)[0] == b"*** USD1 paid"
    assert found("BE68539007547034USD1") == set()


def test_keys_cards_and_social_security_numbers_act_everywhere_and_the_rest_where_a_resource_says_so() -> None:
    assert set(USUAL) == {one.name for one in KNOWN.values() if one.group is Group.KEYS} | {"card_number", "ssn"}


def test_no_detector_looks_at_more_than_it_may() -> None:
    assert all(one.reach < WIDTH and len(one.example) < WIDTH for one in KNOWN.values())
    assert all(one.name.isidentifier() and one.title for one in KNOWN.values())
