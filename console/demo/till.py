"""The demo's tool server: a till that the gate runs, and that speaks MCP over its two pipes. It knows nothing of Narrowgate.

Everything it says is worked out of an order's number, so it keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import sys

from mcp.server import MCPServer
from pydantic import BaseModel

KEY = "TILL_KEY"
"""The variable without which the till stays shut: the vault has it, agents never do."""
CARDS = ("4111111111111111", "5555555555554444", "4012888888881881")

server = MCPServer("till", version="1", instructions="Amounts are in cents.")


class Payment(BaseModel):
    """What was paid for an order."""

    order: int
    amount_cents: int
    card_number: str
    email: str


class Receipt(BaseModel):
    """What was paid back."""

    receipt: str
    order: int
    amount_cents: int


@server.tool()
def payment(order: int) -> Payment:
    """Look up what was paid for an order, and how."""
    return Payment(
        order=order,
        amount_cents=1_990 + order * 370 % 40_000,
        card_number=CARDS[order % len(CARDS)],
        email=f"customer{order}@example.com",
    )


@server.tool()
def refund(order: int, amount_cents: int, reason: str) -> Receipt:
    """Pay money back to the card that an order was paid with."""
    number = hashlib.sha256(f"{order}/{amount_cents}/{reason}".encode()).hexdigest()[:10]
    return Receipt(receipt=f"R-{number}", order=order, amount_cents=amount_cents)


@server.tool()
def close_day() -> str:
    """Close the books of today. No order can be paid after it."""
    return "closed"


if __name__ == "__main__":
    if not os.environ.get(KEY):
        sys.exit(f"{KEY} is not set: the till stays shut.")
    server.run("stdio")
