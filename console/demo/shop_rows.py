"""What is in the demo's shop: the same rows every time. Pure.

Card numbers pass the Luhn check (ISO/IEC 7812-1) and begin with prefixes that card schemes give out for
tests; SSNs keep the rules for numbers that can be issued. Nobody real has any of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

CUSTOMERS = 800
ORDERS = 2400
EPOCH = datetime(2025, 1, 6, 8, tzinfo=UTC)
Row = tuple[Any, ...]

FIRST = [
    "Ada",
    "Amir",
    "Anna",
    "Bela",
    "Carlos",
    "Chen",
    "Dana",
    "Elif",
    "Emil",
    "Fatima",
    "Finn",
    "Greta",
    "Hana",
    "Ines",
    "Ivan",
    "Jana",
    "Jonas",
    "Kemal",
    "Lara",
    "Leo",
    "Lin",
]
FIRST += [
    "Maya",
    "Mia",
    "Milan",
    "Nadia",
    "Noah",
    "Olga",
    "Omar",
    "Paula",
    "Petra",
    "Ravi",
    "Rosa",
    "Sami",
    "Sara",
    "Sven",
    "Tara",
    "Tom",
    "Uma",
    "Vera",
    "Yusuf",
    "Zoe",
]
LAST = [
    "Adler",
    "Aydin",
    "Bauer",
    "Becker",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Horvat",
    "Ito",
    "Jansen",
    "Kaya",
    "Keller",
    "Kim",
    "Kowalski",
]
LAST += [
    "Lopez",
    "Mehta",
    "Meyer",
    "Moreau",
    "Nagy",
    "Novak",
    "Okafor",
    "Olsen",
    "Park",
    "Petrov",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Tanaka",
    "Weber",
    "Wolf",
    "Yilmaz",
]
CITIES = [
    "Amsterdam",
    "Athens",
    "Berlin",
    "Bergen",
    "Cork",
    "Ghent",
    "Graz",
    "Lisbon",
    "Lyon",
    "Malmo",
    "Naples",
    "Porto",
    "Riga",
    "Seville",
    "Turin",
    "Vienna",
]
PRODUCTS = {
    "Desk lamp": "39.90",
    "Notebook, dotted": "7.50",
    "Fountain pen": "24.00",
    "Wool blanket": "69.00",
    "Tea kettle": "54.90",
    "Coffee grinder": "89.00",
    "Bread knife": "31.50",
    "Cutting board": "27.90",
    "Bicycle bell": "12.40",
    "Rain jacket": "119.00",
    "Backpack, 20 l": "94.00",
    "Water bottle": "18.90",
}
ORDER_STATES = ("open", "paid", "sent", "returned", "abandoned")
ORDER_WEIGHTS = (4, 20, 62, 5, 9)


@dataclass(frozen=True)
class Table:
    """Rows for one table, in the order of its columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def tables(seed: int = 7) -> Iterator[Table]:
    """Every table's rows, referenced tables first."""
    dice = random.Random(seed)  # noqa: S311 -- the same shop every time; nothing here is a secret
    yield Table("customers", _CUSTOMER, tuple(_customer(dice, number) for number in range(1, CUSTOMERS + 1)))
    products = tuple(
        (number, name, Decimal(price), dice.randint(0, 400)) for number, (name, price) in enumerate(PRODUCTS.items(), 1)
    )
    yield Table("products", ("id", "name", "price", "stock"), products)
    orders = tuple(_order(dice, number) for number in range(1, ORDERS + 1))
    yield Table("orders", ("id", "customer_id", "status", "placed_at"), orders)
    items = tuple(item for order in orders for item in _items(dice, order, products))
    yield Table("order_items", ("order_id", "product_id", "quantity", "price"), items)
    yield Table("payments", ("id", "order_id", "amount", "status", "paid_at"), tuple(_payments(orders, items)))


_CUSTOMER = ("id", "full_name", "email", "city", "card_number", "ssn", "marketing", "created_at")


def _customer(dice: random.Random, number: int) -> Row:
    first, last = dice.choice(FIRST), dice.choice(LAST)
    email = f"{first}.{last}{number}@example.com".lower()
    joined = EPOCH + timedelta(minutes=dice.randint(0, 300_000))
    return (
        number,
        f"{first} {last}",
        email,
        dice.choice(CITIES),
        card_number(dice),
        ssn(dice),
        dice.random() < 0.4,
        joined,
    )


def card_number(dice: random.Random) -> str:
    """Sixteen digits that pass the Luhn check, behind a test prefix."""
    body = dice.choice(("400000", "411111", "555555", "510510")) + "".join(str(dice.randint(0, 9)) for _ in range(9))
    return body + str(-luhn_sum(body + "0") % 10)


def luhn_sum(digits: str) -> int:
    """The Luhn sum: a number is well-formed when it is divisible by ten."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled)


def ssn(dice: random.Random) -> str:
    """A number of the form that can be issued: no area 000, 666 or 900 and up, no group 00, no serial 0000."""
    area = dice.choice((dice.randint(1, 665), dice.randint(667, 899)))
    return f"{area:03d}-{dice.randint(1, 99):02d}-{dice.randint(1, 9999):04d}"


def _order(dice: random.Random, number: int) -> Row:
    status = dice.choices(ORDER_STATES, ORDER_WEIGHTS)[0]
    return number, dice.randint(1, CUSTOMERS), status, EPOCH + timedelta(minutes=220 * number + dice.randint(0, 200))


def _items(dice: random.Random, order: Row, products: tuple[Row, ...]) -> list[Row]:
    chosen = dice.sample(products, dice.randint(1, 3))
    return [(order[0], product[0], dice.randint(1, 3), product[2]) for product in chosen]


def _payments(orders: tuple[Row, ...], items: tuple[Row, ...]) -> Iterator[Row]:
    totals: dict[object, Decimal] = {}
    for order_id, _, quantity, price in items:
        totals[order_id] = totals.get(order_id, Decimal(0)) + quantity * price
    states = {"paid": "captured", "sent": "captured", "returned": "refunded"}
    paid = (order for order in orders if order[2] in states)
    for number, (order_id, _, status, placed_at) in enumerate(paid, 1):
        yield number, order_id, totals[order_id], states[status], placed_at + timedelta(minutes=3)
