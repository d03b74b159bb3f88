"""The demo's past, made as every present is: agents ask through the gate, people answer in the console's actions."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog

from accounts.models import User
from approvals import actions as approvals
from approvals.models import Hold
from cli.sql import address
from cli.state import World
from cli.token import request_token
from console.demo.inventory import SHOP
from core.errors import NarrowgateError

PATIENCE = 15.0  # seconds to wait for a hold, or for an answer to one
log = structlog.get_logger()


@dataclass(frozen=True)
class Visit:
    """One session: an agent connects for a purpose and asks these statements, one after another."""

    agent: str
    purpose: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """A statement that waits for people, and what they answer; nobody answers when `answers` is empty."""

    agent: str
    purpose: str
    statement: str
    answers: tuple[tuple[str, bool, str], ...]  # username, approved, reason


VISITS = (
    Visit(
        "support.production.01",
        "Ticket 4411: where is my order?",
        (
            "SELECT id, full_name, email, city FROM customers WHERE email = 'lin.haddad1@example.com'",
            "SELECT id, status, placed_at FROM orders WHERE customer_id = 1 ORDER BY placed_at DESC LIMIT 5",
            "SELECT order_id, product_id, quantity FROM order_items WHERE order_id = 90",
        ),
    ),
    Visit(
        "support.production.02",
        "Ticket 4420: please check my card",
        (
            "SELECT full_name, card_number FROM customers WHERE email = 'lin.haddad1@example.com'",
            "SELECT full_name FROM customers WHERE card_number = '4111111111111111'",
            "SELECT count(*) FROM orders WHERE status = 'returned'",
        ),
    ),
    Visit(
        "billing.production",
        "Hourly reconciliation",
        (
            "SELECT status, count(*), sum(amount) FROM payments GROUP BY status ORDER BY status",
            "SELECT id, order_id, amount FROM payments ORDER BY paid_at DESC LIMIT 20",
        ),
    ),
    Visit(
        "fraud-watch.production",
        "Orders above the usual",
        (
            "SELECT order_id, sum(quantity * price) FROM order_items GROUP BY order_id ORDER BY 2 DESC LIMIT 10",
            "SELECT id, full_name, email, card_number FROM customers WHERE id IN (17, 230, 512)",
            "SELECT usename, query FROM pg_stat_activity",
        ),
    ),
    Visit(
        "reports.production",
        "Sales of the week",
        (
            "SELECT date_trunc('week', paid_at) AS week, sum(amount) FROM payments GROUP BY 1 ORDER BY 1 DESC LIMIT 8",
            "SELECT name, stock FROM products ORDER BY stock LIMIT 5",
            "SELECT city, count(*) FROM customers GROUP BY city",
        ),
    ),
    Visit("reports.staging", "Trying a report out", ("SELECT count(*) FROM orders",)),
    Visit(
        "warehouse.production",
        "Orders to send",
        (
            "SELECT id, placed_at FROM orders WHERE status = 'paid' ORDER BY placed_at LIMIT 10",
            "SELECT name, stock FROM products WHERE stock < 100 ORDER BY stock",
            "DROP TABLE order_items",
        ),
    ),
    Visit(
        "cleanup.production",
        "Nightly clean-up",
        (
            "SELECT count(*) FROM orders WHERE status = 'abandoned'",
            "DELETE FROM orders",
        ),
    ),
)

HELD = (
    Held(
        "warehouse.production",
        "Order 13 left the warehouse",
        "UPDATE orders SET status = 'sent' WHERE id = 13 AND status = 'paid'",
        (("maya", True, "The carrier confirms it."),),
    ),
    Held(
        "cleanup.production",
        "Nightly clean-up",
        "DELETE FROM order_items WHERE order_id = 11",
        (("jonas", True, "An abandoned basket, checked."),),
    ),
    Held(
        "support.production.01",
        "Ticket 4411: the customer moved",
        "UPDATE customers SET city = 'Porto' WHERE id = 1",
        (("maya", False, "The request came from another address. Ask the customer to confirm."),),
    ),
    Held(
        "refunds.production",
        "Ticket 4388: refund of a damaged order",
        "UPDATE payments SET status = 'refunded' WHERE order_id = 2",
        (("maya", True, "The photo shows it."), ("jonas", True, ""), ("priya", True, "Amount is within the limit.")),
    ),
)

WAITING = (
    Held("cleanup.production", "Nightly clean-up", "DELETE FROM orders WHERE status = 'abandoned' AND id < 400", ()),
    Held(
        "refunds.production",
        "Ticket 4431: broken on arrival",
        "UPDATE payments SET status = 'refunded' WHERE order_id = 77",
        (),
    ),
)


def make(world: World) -> None:
    """Drive the visits, then the holds with their answers, then leave some waiting for whoever comes."""
    for visit in VISITS:
        _visit(world, visit.agent, visit.purpose, visit.statements)
    for held in HELD:
        _ask_and_answer(world, held)
    for held in WAITING:
        _ask_and_leave(world, held)


def _visit(world: World, agent: str, purpose: str, statements: Sequence[str]) -> None:
    """Ask each statement; a refusal is part of the story."""
    try:
        with _connect(world, agent, purpose) as connection:
            for statement in statements:
                with suppress(psycopg.Error):
                    connection.execute(statement.encode())
    except (psycopg.Error, NarrowgateError) as error:
        log.warning("demo_visit_ended", agent=agent, error=str(error))


def _connect(world: World, agent: str, purpose: str) -> psycopg.Connection:
    token = request_token(world, agent, SHOP, key=Path(world.key_of(agent)), purpose=purpose)
    return psycopg.connect(address(world, agent, SHOP, token), autocommit=True, connect_timeout=10)


def _ask_and_answer(world: World, held: Held) -> None:
    """The agent waits in a thread of its own while people answer in this one."""
    asking = threading.Thread(target=_visit, args=(world, held.agent, held.purpose, (held.statement,)), daemon=True)
    asking.start()
    hold = waiting_hold(held.agent)
    if hold is None:
        log.warning("demo_hold_missing", agent=held.agent)
    else:
        for username, approved, reason in held.answers:
            answer_hold(hold, username, approved=approved, reason=reason)
    asking.join(PATIENCE)


def answer_hold(hold: Hold, username: str, *, approved: bool, reason: str) -> None:
    """As somebody of the demo, approve or deny."""
    person, decide = User.objects.get(username=username), approvals.approve if approved else approvals.deny
    decide(hold.id, actor=person, seen=hold.digest, reason=reason)


def _ask_and_leave(world: World, held: Held) -> None:
    """Ask, and hang up once the question waits: a client that left finds its hold again."""
    with suppress(psycopg.Error, NarrowgateError), _connect(world, held.agent, held.purpose) as connection:
        connection.pgconn.send_query(held.statement.encode())
        while connection.pgconn.flush():
            time.sleep(0.01)
        if waiting_hold(held.agent) is None:
            log.warning("demo_hold_missing", agent=held.agent)
        connection.close()


def waiting_hold(agent: str) -> Hold | None:
    """The hold that `agent` waits for, once it is there."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        hold = Hold.objects.filter(agent__name=agent, status=Hold.Status.WAITING).order_by("-asked_at").first()
        if hold is not None:
            return hold
        time.sleep(0.05)
    return None
