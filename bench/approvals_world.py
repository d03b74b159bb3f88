"""A thousand reviewers in groups of five, each group before a segment of its own, for bench/approvals.py; and a gateway before a real database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.gateway_world import AGENT, LOGIN, PASSWORD, World, process

if TYPE_CHECKING:
    from accounts.models import User
    from console.embedded import Cluster

IN_A_GROUP = 5
AGENTS = 3
"""Of each segment: an agent may have five actions waiting."""
POLICY = """
@id("reads") @why("The benchmark reads.")
permit (principal in Function::"bench", action in Action::"sql:read", resource == Resource::"shop");
@id("writes") @why("The benchmark writes.")
permit (principal in Function::"bench", action in Action::"sql:write", resource == Resource::"shop");
@id("people") @why("Writes need people.") @hold("g000:1") @ttl("15m")
forbid (principal, action in Action::"sql:write", resource) unless { context has approval };
"""


@dataclass
class Deployment:
    """What was built: reviewers' session cookies by user name, those of each group, and the gateway's agent."""

    gate: World
    cookies: dict[str, str]
    groups: list[list[str]]
    overseer: str


@contextmanager
def deployed(folder: Path, groups: int) -> Iterator[Deployment]:
    """Build it, and run the sequencer; gone at the end."""
    from console import embedded

    main, shop = embedded.start(folder, "main"), embedded.start(folder, "shop")
    try:
        _migrated(folder, main)
        _fill(shop)
        made = _made(folder, shop, groups)
        with process("sequencer", 0):
            yield made
    finally:
        for cluster, name in ((shop, "shop"), (main, "main")):
            cluster.stop()
            embedded.destroy(folder, name)


def _migrated(folder: Path, main: Cluster) -> None:
    from console import database

    logins = database.prepare(main, {role: secrets.token_urlsafe(16) for role in database.ROLES})
    os.environ.update(
        DJANGO_SETTINGS_MODULE="bench.pages_server", NARROWGATE_STATE=str(folder), SECRET_KEY="bench", KEY_PASSPHRASE="bench",  # noqa: S106
        DATABASE_URL=logins.app, DATABASE_GATEWAY_URL=logins.gateway, DATABASE_SEQUENCER_URL=logins.sequencer,
    )  # fmt: skip
    import django

    django.setup()
    from console import static_files

    database.migrate(logins.owner)
    static_files.gather()


def _fill(shop: Cluster) -> None:
    import psycopg

    with psycopg.connect(shop.admin_dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"CREATE DATABASE shop OWNER {LOGIN}")
    with psycopg.connect(shop.admin_dsn("shop"), autocommit=True) as admin:
        admin.execute("CREATE TABLE orders AS SELECT id, 'open' AS status FROM generate_series(1, 10000) AS id")
        admin.execute(f"ALTER TABLE orders OWNER TO {LOGIN}")


def _made(folder: Path, shop: Cluster, groups: int) -> Deployment:
    from accounts import actions as accounts
    from accounts.models import Role, User
    from agents import actions as inventory
    from agents import ca, keys
    from ledger.entries import Actor
    from policies import actions as policies

    system = Actor(kind="system", id="bench", name="bench")
    engineer = accounts.invite("enzo", email="enzo@example.com", name="Enzo", roles=[Role.ENGINEER], actor=system)
    overseer = accounts.invite("cleo", email="cleo@example.com", name="Cleo", roles=[Role.CISO], actor=system)
    people = User.objects.bulk_create(
        User(username=f"r{number:04}", name=f"Reviewer {number}", email=f"r{number:04}@example.com", roles=[Role.REVIEWER], password="!")  # noqa: S106
        for number in range(groups * IN_A_GROUP)
    )  # fmt: skip
    owners = User.objects.bulk_create(
        User(username=f"o{number:03}", name=f"Owner {number}", roles=[Role.OWNER], password="!")  # noqa: S106
        for number in range(groups)
    )
    _divide(people, owners, engineer, groups)
    key = keys.generate("ES256")
    segment = inventory.create_segment("here", actor=engineer)
    where: Any = {"host": str(shop.socket_folder), "database": "shop", "tls": "off", "connections": 200}
    resource = inventory.add_resource("shop", segment=segment, actor=engineer, **where)
    inventory.store_secret(resource.id, user=LOGIN, password=PASSWORD, actor=engineer)
    inventory.enrol(
        AGENT, purpose="Measures", segment=segment, owner=engineer, public_jwk=keys.public_jwk(key), actor=engineer
    )
    _let_all_review(people, segment)
    policies.install(POLICY, actor=engineer)
    identity = ca.server_identity(folder / "keys", os.environ["KEY_PASSPHRASE"])
    gate = World(shop, identity.certificate, identity.ca, identity.key, key)
    named = [person.username for person in people]
    divided = [named[at : at + IN_A_GROUP] for at in range(0, len(named), IN_A_GROUP)]
    return Deployment(gate, _cookies([*people, overseer]), divided, overseer.username)


def _divide(people: list[User], owners: list[User], engineer: User, groups: int) -> None:
    """A group of five before a segment with one database and AGENTS agents, so many times."""
    from django.contrib.auth.models import Group
    from django.utils import timezone

    from accounts.models import Membership
    from accounts.objects import grant_review
    from agents.models import Agent, Resource, Segment

    named = [f"{number:03}" for number in range(groups)]
    teams = Group.objects.bulk_create(Group(name=f"g{name}") for name in named)
    segments = Segment.objects.bulk_create(Segment(name=f"s{name}") for name in named)
    Resource.objects.bulk_create(
        Resource(name=f"db{name}", segment=segment, host="/nowhere", database="db", tls="off", connections=200)
        for name, segment in zip(named, segments, strict=True)
    )
    Agent.objects.bulk_create(
        Agent(
            name=f"a{one}.s{name}", function=f"a{one}", environment=f"s{name}", purpose="Measures", segment=segment,
            owner=owner, enroller=engineer, status=Agent.Status.ACTIVE,
        )
        for name, segment, owner in zip(named, segments, owners, strict=True) for one in range(AGENTS)
    )  # fmt: skip
    long_ago = timezone.now() - timedelta(days=1)
    Membership.objects.bulk_create(
        Membership(user=person, group=teams[number // IN_A_GROUP], since=long_ago)
        for number, person in enumerate(people)
    )
    for team, segment in zip(teams, segments, strict=True):
        grant_review(team, segment)


def _let_all_review(people: list[User], segment: Any) -> None:  # noqa: ANN401 -- a model that is loaded later
    """The first group decides for the database that is really there."""
    from accounts.objects import grant_review

    grant_review(people[0].memberships.get().group, segment)


def _cookies(people: list[User]) -> dict[str, str]:
    """A session of each, as signing in makes it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connections

    found = {}
    for person in people:
        session = SessionStore()
        session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(person.pk), settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.create()
        found[person.username] = str(session.session_key)
    connections.close_all()
    return found


def fill_queue(waiting: int) -> None:
    """So many waiting, spread over all agents; the first group's may decide each of them."""
    from datetime import timedelta

    from django.contrib.auth.models import Group
    from django.db import connection
    from django.utils import timezone

    from accounts.objects import grant_review
    from agents.models import Agent, Resource, Segment
    from approvals.models import Hold
    from core.ids import new_id

    agents, now = list(Agent.objects.filter(name__startswith="a").order_by("name")), timezone.now()
    resources = {one.segment_id: one for one in Resource.objects.all()}
    for segment in Segment.objects.all():
        grant_review(Group.objects.get(name="g000"), segment)
    Hold.objects.bulk_create(
        [
            Hold(
                action_id=new_id(), session_id=new_id(), agent=agent, resource=resources[agent.segment_id], digest=f"sha256:{number}",
                salt=b"", verb="sql:delete", summary="Deletes rows from orders", shown=f"DELETE FROM orders WHERE id = {number}",
                requirement={"g000": 1}, reasons=[{"policy": "people", "why": "Writes need people."}], policy_version=1,
                deadline=now + timedelta(minutes=15, seconds=number % 600), asked_at=now, shape="",
            )
            for number in range(waiting) for agent in [agents[number % len(agents)]]
        ],
        batch_size=1_000,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE approvals_hold")
