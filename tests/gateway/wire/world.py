"""What the tests of the listener share: a target database, a gateway before it, an agent with a token."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import psycopg
import uvloop
from joserfc import jwt

from agents import actions as inventory
from agents import ca, certificates, keys, proof, tokens
from agents.models import Agent, Resource, Segment
from console.database import Logins
from gateway.service import Config, Service, start
from policies import actions as policy_actions
from tests.cast import Cast
from tests.databases import TestCluster

T = TypeVar("T")

SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, ssn varchar(11), born date, score int);
INSERT INTO customers SELECT i, 'Name ' || i, 'c' || i || '@example.com', '123-45-' || lpad(i::text, 4, '0'), '1990-01-01', i
    FROM generate_series(1, 100) i;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, total numeric(10, 2) NOT NULL, note text);
INSERT INTO orders SELECT i, 1 + i % 100, i * 1.5, 'note ' || i FROM generate_series(1, 500) i;
CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY, line text);
"""

POLICIES = """
@id("reads") @why("Support reads.")
permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop");
@id("writes") @why("Support writes.")
permit (principal in Function::"support", action in Action::"sql:write", resource == Resource::"shop");
@id("deletes-need-people") @hold("dba:1") @ttl("5m") @why("Deleting takes a database administrator.")
forbid (principal, action == Action::"sql:delete", resource == Resource::"shop") unless { context has approval };
@id("no-truncate") @why("Nobody truncates.")
forbid (principal, action == Action::"sql:truncate", resource == Resource::"shop");
@id("pays") @why("Support pays back.")
permit (principal in Function::"support", action == Action::"app:call", resource == Resource::"shop")
when { context has operation && (context.operation like "payments.*" || context.operation == "tools.bash") };
@id("banks") @why("Support uses the bank.")
permit (principal in Function::"support", action in [Action::"http:read", Action::"http:write"], resource)
unless { context has operation && context.operation == "deleteCustomer" };
@id("large-transfers") @hold("dba:1") @ttl("5m") @why("More than 1000 takes a person.")
forbid (principal, action == Action::"http:write", resource)
when { context has args && context.args has body && context.args.body has amount && context.args.body.amount > 1000 }
unless { context has approval };
@id("signing") @hold("dba:1") @ttl("5m") @why("A signature takes a person.")
forbid (principal, action == Action::"http:write", resource)
when { context has operation && context.operation == "signFile" } unless { context has approval };
@id("huge-files") @why("Nobody keeps more than 5 MB.")
forbid (principal, action == Action::"http:write", resource)
when { context has args && context.args has body && context.args.body has bytes && context.args.body.bytes > 5000000 };
@id("tools") @why("Support uses tools.")
permit (principal in Function::"support", action in Action::"mcp:use", resource)
unless { context has operation && context.operation == "wipe" };
@id("the-asker-may-ask") @why("It asks for a confirmation.")
permit (principal in Function::"support", action == Action::"mcp:elicit", resource == Resource::"asker");
@id("conforms") @why("The conformance suite does everything.")
permit (principal in Function::"support", action, resource == Resource::"conformance");
@id("plans-are-secret") @why("Nobody reads the plans.")
forbid (principal, action == Action::"mcp:read", resource)
when { context has args && context.args has uri && context.args.uri like "till://secret/*" };
@id("large-refunds") @hold("dba:1") @ttl("5m") @why("More than 1000 takes a person.")
forbid (principal, action == Action::"mcp:call", resource)
when { context has args && context.args has amount && context.args.amount > 1000 }
unless { context has approval };
@id("large-needs-people") @hold("dba:1") @ttl("5m") @why("More than 1000 takes a person.")
forbid (principal, action == Action::"app:call", resource)
when { context has args && context.args has amount && context.args.amount > 1000 }
unless { context has approval };
"""


@dataclass
class World:
    """A gateway with a resource behind it and an agent before it."""

    cast: Cast
    logins: Logins
    cluster: TestCluster
    shop_dsn: str
    segment: Segment
    resource: Resource
    agent: Agent
    key: keys.Key
    config: Config
    ca: Path
    gateway: Gateway = field(init=False)

    @property
    def port(self) -> int:
        """The listener's port."""
        return int(self.gateway.service.addresses["postgres"].rpartition(":")[2])

    def token(self, **changed: str) -> str:
        """A new token for the agent."""
        return tokens.issue(token_request(self.agent, self.key, **changed)).access_token

    def params(self, **changed: Any) -> dict[str, Any]:
        """How libpq connects."""
        return {
            "host": "localhost",
            "port": changed.get("port") or self.port,
            "dbname": "shop",
            "user": self.agent.name,
            "password": changed["password"] if "password" in changed else self.token(),
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca),
            **changed,
        }

    def connect(self, **changed: Any) -> psycopg.Connection[Any]:
        """A psycopg connection through the gate."""
        return psycopg.connect(**self.params(**changed), autocommit=True)

    def target(self) -> psycopg.Connection[Any]:
        """A superuser's connection to the target itself."""
        return psycopg.connect(self.shop_dsn, autocommit=True)

    def psql(self, *arguments: str, text: str | None = None, **changed: Any) -> subprocess.CompletedProcess[str]:
        """Run psql through the gate."""
        return subprocess.run(
            ["psql", "-X", *arguments],
            env=self.environment(**changed),
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def environment(self, **changed: Any) -> dict[str, str]:
        """libpq's environment."""
        names = {
            "host": "PGHOST",
            "port": "PGPORT",
            "dbname": "PGDATABASE",
            "user": "PGUSER",
            "password": "PGPASSWORD",
            "sslmode": "PGSSLMODE",
            "sslrootcert": "PGSSLROOTCERT",
            "sslcert": "PGSSLCERT",
            "sslkey": "PGSSLKEY",
        }
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            **{names[name]: str(value) for name, value in self.params(**changed).items() if value is not None},
        }


class Gateway:
    """A gateway on an event loop in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.service: Service = self.run(start(config))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def stop(self) -> None:
        """Stop it and its loop."""
        self.run(self.service.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


def token_request(agent: Agent, key: keys.Key, **changed: str) -> tokens.TokenRequest:
    form: dict[str, Any] = proven(agent, key) | {"grant_type": tokens.GRANT_TYPE, "resource": "shop"}
    return tokens.TokenRequest(**(form | changed))


def proven(agent: Agent, key: keys.Key) -> dict[str, Any]:
    """A fresh client assertion, as the fields of a form."""
    now = int(time.time())
    claims = {
        "iss": agent.name, "sub": agent.name, "aud": tokens.token_endpoint(), "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex,
    }  # fmt: skip
    algorithm = keys.algorithm_of(key)
    assertion = jwt.encode({"alg": algorithm, "kid": keys.kid_of(key)}, claims, key, algorithms=[algorithm])
    return {"client_assertion_type": proof.ASSERTION_TYPE, "client_assertion": assertion}


@contextmanager
def shop(cluster: TestCluster, name: str) -> Iterator[str]:
    """A target database with its two logins; gives the superuser's DSN of it."""
    dsn = cluster.admin_dsn.replace("/postgres?", f"/{name}?")
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    try:
        with psycopg.connect(dsn, autocommit=True) as target:
            target.execute(SCHEMA)
            target.execute("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO shop_gate")
            target.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_reader")
        yield dsn
    finally:
        with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def assemble(
    cast: Cast, logins: Logins, cluster: TestCluster, shop_dsn: str, folder: Path, policies: str = POLICIES
) -> World:
    """Enrol the agent, add the resource, install the policies, make the certificate; start nothing."""
    segment = inventory.create_segment("production", purpose="What customers use", actor=cast.engineer)
    parts = urlsplit(shop_dsn)
    where: Any = {
        "host": parse_qs(parts.query)["host"][0],
        "port": 5432,
        "database": parts.path.lstrip("/"),
        "tls": "off",
    }
    resource = inventory.add_resource("shop", segment=segment, owner=cast.owner, actor=cast.engineer, **where)
    for use, role in (("actions", "shop_gate"), ("reading", "shop_reader")):
        inventory.store_secret(resource.id, use=use, user=role, password=role, actor=cast.engineer)
    for group in (cast.dba, cast.security):
        inventory.let_review(group, segment, actor=cast.administrator)
    key = keys.generate("ES256")
    agent = inventory.enrol(
        "support.production", purpose="Answers customers", segment=segment, owner=cast.owner, deputy=cast.deputy,
        public_jwk=keys.public_jwk(key), actor=cast.engineer,
    )  # fmt: skip
    policy_actions.install(policies, actor=cast.engineer)
    identity = ca.server_identity(folder / "keys", "tests")
    config = Config(
        logins.gateway, "http://console.test", identity.certificate, identity.key, identity.passphrase,
        agents_ca=certificates.authority().bundle,
    )  # fmt: skip
    return World(cast, logins, cluster, shop_dsn, segment, resource, agent, key, config, identity.ca)


def eventually(check: Callable[[], T], within: float = 5.0) -> T:
    """What `check` gives once it gives something; the last thing it gave or raised when time is up."""
    deadline = time.monotonic() + within
    while True:
        try:
            found = check()
            if found or time.monotonic() > deadline:
                return found
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)
