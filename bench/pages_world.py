"""A large deployment in an embedded PostgreSQL, for bench/pages.py: people, fleet, actions, holds, incidents, ledger."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

    from console.database import Logins
    from console.embedded import Cluster

ROLES = ("ciso", "auditor", "engineer", "reviewer", "owner", "administrator")
SEGMENTS = ("production", "payments", "analytics", "support", "platform", "staging", "research", "logistics")
DAYS = 90
PER_SESSION = 50
NODE = "00000000-0000-7000-8000-000000000001"
SQL = Path(__file__).with_suffix(".sql")
BATCH = 2_000


@dataclass(frozen=True)
class Size:
    """How large the deployment is."""

    agents: int
    actions: int


@dataclass
class World:
    """What was built, and how to ask it: a session cookie for each role."""

    size: Size
    folder: Path
    cookies: dict[str, str]
    seconds: float = 0.0


@contextmanager
def built(folder: Path, size: Size) -> Iterator[World]:
    """Build it; gone at the end."""
    from console import embedded

    began = time.monotonic()
    cluster = embedded.start(folder, "main", durable=False)
    try:
        logins = _migrated(folder, cluster)
        _keep_static_files()
        people = _people()
        _fill(cluster, size, people)
        _record(logins)
        _read_on()
        yield World(size, folder, _cookies(people), time.monotonic() - began)
    finally:
        cluster.stop()
        embedded.destroy(folder, "main")


def _migrated(folder: Path, cluster: Cluster) -> Logins:
    from console import database
    from console.logs import configure

    logins = database.prepare(cluster, {role: secrets.token_urlsafe(16) for role in database.ROLES})
    os.environ.update(
        DJANGO_SETTINGS_MODULE="bench.pages_server", NARROWGATE_STATE=str(folder), SECRET_KEY="bench", KEY_PASSPHRASE="bench",  # noqa: S106
        DATABASE_URL=logins.app, DATABASE_GATEWAY_URL=logins.gateway, DATABASE_SEQUENCER_URL=logins.sequencer,
    )  # fmt: skip
    import django

    django.setup()
    configure(level=logging.WARNING)  # standard output is for the figures
    database.migrate(logins.owner)
    return logins


def _keep_static_files() -> None:
    from console import static_files

    static_files.gather()


def _people() -> dict[str, Any]:
    """Everybody, the segments, a resource in each, and a policy."""
    from accounts import actions as accounts
    from accounts.models import Role
    from agents import actions as inventory
    from ledger.entries import Actor
    from policies import actions as policies

    system = Actor(kind="system", id="bench", name="bench")
    people = {
        role: accounts.invite(role, email=f"{role}@example.com", name=role.title(), roles=[Role(role)], actor=system)
        for role in ROLES
    }
    group = accounts.create_group("dba", actor=people["administrator"])
    accounts.add_member(people["reviewer"], group, actor=people["administrator"])
    engineer = people["engineer"]
    for name in SEGMENTS:
        segment = inventory.create_segment(name, actor=engineer)
        resource = inventory.add_resource(
            f"{name}-db", segment=segment, host="/nowhere", database=name, tls="off", actor=engineer
        )
        inventory.store_secret(resource.id, user="bench", password=secrets.token_urlsafe(), actor=engineer)
        if name == SEGMENTS[0]:
            inventory.let_review(group, segment, actor=people["administrator"])
    reads = '@id("reads") @why("Agents read.") permit (principal, action in Action::"sql:read", resource);'
    policies.install(reads, actor=engineer)
    return people


def _fill(cluster: Cluster, size: Size, people: dict[str, Any]) -> None:
    """Run the script as the cluster's superuser: rows in bulk, with every index in place."""
    import psycopg

    put_in = {
        ":agents": size.agents, ":actions": size.actions, ":days": DAYS, ":per_session": PER_SESSION,
        ":owner": f"'{people['owner'].id}'", ":engineer": f"'{people['engineer'].id}'", ":node": f"'{NODE}'::uuid",
    }  # fmt: skip
    script = SQL.read_text(encoding="utf-8")
    for name, value in put_in.items():
        script = script.replace(name, str(value))
    with psycopg.connect(cluster.admin_dsn("narrowgate"), autocommit=True) as admin:
        admin.execute("SET work_mem = '64MB'")
        _let_columns_be_left_out(admin)
        for statement in script.split(";\n"):
            if statement.strip():
                admin.execute(statement.encode())


def _let_columns_be_left_out(admin: Connection[Any]) -> None:
    """Give required columns an empty default, so that the script names those that matter here."""
    empty = {
        "character varying": "''",
        "text": "''",
        "boolean": "false",
        "integer": "0",
        "smallint": "0",
        "jsonb": "'[]'",
        "ARRAY": "'{}'",
        "timestamp with time zone": "now()",
    }
    columns = admin.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
        "AND is_nullable = 'NO' AND column_default IS NULL AND table_name ~ '^(agents|activity|approvals|monitoring)_'"
    ).fetchall()
    for table, column, kind in columns:
        if kind in empty:
            admin.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET DEFAULT {empty[kind]}')


# ---- the ledger ----
def _record(logins: Logins) -> None:
    """Write the entries of all that, oldest first, and let the sequencer put them into the log."""
    import psycopg

    from ledger.write import rows

    with psycopg.connect(logins.app) as writer:
        last, batch = 0, []
        with (
            writer.cursor() as cursor,
            cursor.copy("COPY ledger_outbox (node, node_seq, event, leaf) FROM STDIN") as copy,
        ):
            for at, draft in _drafts(logins.app):
                batch.append((at, draft))
                last += 1
                (row,) = rows([draft], "bench/gateway", last, at)
                copy.write_row(row)
    _sequence(logins)


def _drafts(dsn: str) -> Iterator[tuple[Any, Any]]:
    """(moment, entry) for every burst of reads, denial, hold and incident."""
    import psycopg

    from ledger.entries import Actor, Draft, Subject
    from ledger.events import Event

    gate, events = Actor("gateway", NODE, "bench"), {event.value: event for event in Event}
    with psycopg.connect(dsn) as reader, reader.cursor("facts") as cursor:
        cursor.itersize = BATCH
        cursor.execute(_FACTS)
        for event, uid, at, action, session, agent, subject, number in cursor:
            details = (
                {"count": number, "root": "sha256:00"} if event == Event.ACTIONS_ALLOWED else {"code": "forbidden"}
            )
            who = Actor("agent", str(agent), "worker") if agent else gate
            about = Subject("incident" if event == Event.INCIDENT_OPENED else "action", str(subject), "sql:select")
            yield at, Draft(
                id=uid, event=events[event], actor=who, subject=about, occurred=at, details=details, action=action, session=session
            )  # fmt: skip


_FACTS = """
SELECT * FROM (
    SELECT 'actions:allowed', entry_id, max(asked_at), NULL::uuid, NULL::uuid, NULL::uuid, NULL::uuid, count(*)
    FROM activity_action WHERE decision = 'allow' GROUP BY entry_id
    UNION ALL
    SELECT CASE decision WHEN 'deny' THEN 'action:denied' ELSE 'hold:asked' END, entry_id, asked_at, id, session_id, agent_id, id, 1
    FROM activity_action WHERE decision <> 'allow'
    UNION ALL
    SELECT 'incident:opened', gen_random_uuid(), detected_at, NULL, NULL, NULL, id, 1 FROM monitoring_incident
) AS facts ORDER BY 3
"""


def _sequence(logins: Logins) -> None:
    from django.conf import settings

    from ledger.queries import state
    from ledger.sequencer import Sequencer
    from ledger.signer import FileSigner

    signer = FileSigner.load_or_create(
        settings.STATE_DIR / "keys" / "ledger.key", settings.KEY_PASSPHRASE, name="bench/ledger"
    )
    stop = threading.Event()
    thread = threading.Thread(target=Sequencer(logins.sequencer, signer).run, args=(stop,))
    thread.start()
    try:
        while state().pending:
            time.sleep(0.5)
    finally:
        stop.set()
        thread.join()


def _read_on() -> None:
    """Count what the ledger says, as the detector does; prove the counts; leave its cursors as if it ran."""
    from datetime import timedelta

    from core.db import db_now
    from ledger.models import Head
    from monitoring import counting, ledger_check
    from monitoring.models import Cursor, LedgerCheck
    from monitoring.recount import FROM_THE_FIRST, recount

    while counting.turn():
        pass
    found = recount(FROM_THE_FIRST, db_now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
    if found.number:
        raise SystemExit(f"{found.number} counts differ from a recount")
    ledger_check.turn()
    soon = db_now() + timedelta(days=1)
    LedgerCheck.objects.update(checked_at=soon)
    Cursor.objects.update(next=Head.objects.get(id=1).size, beat_at=soon)


def _cookies(people: dict[str, Any]) -> dict[str, str]:
    from django.conf import settings
    from django.db import connections
    from django.test import Client

    found = {}
    for role, person in people.items():
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        found[role] = client.cookies[settings.SESSION_COOKIE_NAME].value
    connections.close_all()
    return found
