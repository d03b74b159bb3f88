"""A database that the demo does not know, in a cluster of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from console import embedded

LOGIN, PASSWORD = "clinic_gate", "open sesame, clinic"
SCHEMA = """
CREATE TABLE patients (id int PRIMARY KEY, full_name text NOT NULL, reach_at text NOT NULL, ward text NOT NULL);
INSERT INTO patients SELECT i, 'Patient ' || i, 'p' || i || '@example.org', 'W' || i % 3 FROM generate_series(1, 20) i;
CREATE TABLE visits (id int PRIMARY KEY, patient_id int REFERENCES patients, note text);
INSERT INTO visits SELECT i, 1 + i % 20, 'checked' FROM generate_series(1, 50) i;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clinic_gate;
"""


@dataclass(frozen=True)
class Clinic:
    """Where it is, and the way to look behind the gate."""

    host: str
    admin_dsn: str

    def count(self, query: str) -> int:
        """What the database itself says."""
        with psycopg.connect(self.admin_dsn) as admin:
            row = admin.execute(query.encode()).fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture(scope="session")
def clinic() -> Iterator[Clinic]:
    """A running cluster with the database `clinic`; gone at the end."""
    state = Path(tempfile.mkdtemp(prefix="narrowgate-tests-"))
    state.chmod(0o755)
    cluster = embedded.start(state, "clinic", durable=False)
    try:
        with psycopg.connect(cluster.admin_dsn(), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}'".encode())
            admin.execute("CREATE DATABASE clinic TEMPLATE template0")
        with psycopg.connect(cluster.admin_dsn("clinic")) as admin:
            admin.execute(SCHEMA.encode())
        yield Clinic(str(cluster.socket_folder), cluster.admin_dsn("clinic"))
    finally:
        cluster.stop()
        embedded.destroy(state, "clinic")
        shutil.rmtree(state, ignore_errors=True)
