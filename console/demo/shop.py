"""The demo's shop as a database: made at the first start, in a cluster of its own with logins of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from console.demo.shop_rows import Table, tables
from console.embedded import Cluster

DATABASE = "shop"
OWNER, GATE, READER = "shop_owner", "shop_gate", "shop_reader"
SCHEMA = Path(__file__).with_name("shop.sql")


@dataclass(frozen=True)
class ShopLogins:
    """Passwords of the shop's own logins; the vault keeps the gate's two, nobody else does."""

    owner: str
    gate: str
    reader: str


def ensure(cluster: Cluster, logins: ShopLogins) -> bool:
    """Make the shop where it is missing; True when it was. Passwords are set anew each time."""
    with psycopg.connect(cluster.admin_dsn(), autocommit=True) as admin:
        for role, password in ((OWNER, logins.owner), (GATE, logins.gate), (READER, logins.reader)):
            _ensure_login(admin, role, password)
        found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            admin.execute(sql.SQL("CREATE DATABASE shop OWNER shop_owner TEMPLATE template0"))
            admin.execute(sql.SQL("REVOKE ALL ON DATABASE shop FROM PUBLIC"))
            admin.execute(sql.SQL("GRANT CONNECT ON DATABASE shop TO shop_gate, shop_reader"))
    with psycopg.connect(cluster.dsn(OWNER, logins.owner, DATABASE)) as owner:
        if owner.execute("SELECT to_regclass('public.payments')").fetchone() != (None,):
            return False
        owner.execute(SCHEMA.read_bytes())
        for table in tables():
            _fill(owner, table)
    with psycopg.connect(cluster.dsn(OWNER, logins.owner, DATABASE), autocommit=True) as owner:
        owner.execute("ANALYZE")
    return True


def _ensure_login(admin: psycopg.Connection, role: str, password: str) -> None:
    verb = "ALTER" if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() else "CREATE"
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    admin.execute(statement.format(sql.SQL(verb), sql.Identifier(role), sql.Literal(password)))


def _fill(owner: psycopg.Connection, table: Table) -> None:
    """COPY the rows, then let the table's own numbers go on after them."""
    name, columns = sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with owner.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)) as copy:
        for row in table.rows:
            copy.write_row(row)
    if table.columns[0] == "id":
        restart = sql.SQL("ALTER TABLE {} ALTER COLUMN id RESTART WITH {}")
        owner.execute(restart.format(name, sql.Literal(len(table.rows) + 1)))
