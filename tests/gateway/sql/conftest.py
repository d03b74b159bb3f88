"""A database `shop` with tagged columns, and what the gate knows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from console.database import create_database, drop_database
from gateway.postgres.catalog import Catalog
from gateway.postgres.catalog_load import Row, load
from tests.databases import TestCluster
from tests.gateway.sql.shop import SCHEMA, TAGS


class Fetching:
    """A psycopg connection as the catalog's loader wants it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    async def fetch(self, sql: str) -> list[Row]:
        rows = self.connection.execute(sql).fetchall()
        return [tuple(None if value is None else str(value) for value in row) for row in rows]


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """What the gate would know of the database behind `connection`."""
    return asyncio.run(load(Fetching(connection), tags=TAGS))


@pytest.fixture(scope="session")
def shop_dsn(cluster: TestCluster, worker: str) -> Iterator[str]:
    """The shop's own database."""
    name = f"sql_shop_{worker}"
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        drop_database(admin, name)
        create_database(admin, name, template="template0")
        dsn = psycopg.conninfo.make_conninfo(cluster.admin_dsn, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SCHEMA)
        yield dsn
        drop_database(admin, name)


@pytest.fixture(scope="session")
def shop(shop_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the shop, in autocommit."""
    with psycopg.connect(shop_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def catalog(shop: psycopg.Connection[Any]) -> Catalog:
    """What the gate knows of the shop."""
    return read_catalog(shop)
