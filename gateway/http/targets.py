"""What this gateway knows of the APIs behind it: where each is, what it can be asked for, which credential goes with a request."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import httpcore
from django.db import transaction

from agents.actors import resource_subject
from agents.api_models import ApiDescription
from agents.models import Resource
from agents.openapi import Operation
from agents.vault import Login, open_secret
from core.errors import NarrowgateError, NotFound
from gateway.action import Caller
from gateway.http.masking import Path, read_path
from gateway.http.paths import Routes
from gateway.http.reaching import LONGEST, Way
from gateway.http.reading import NEVER
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
from gateway.visits import Visit
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

BEARER: Final = "bearer"
SHORTEST_HIDDEN: Final = 8
"""Bytes of a secret that is looked for in answers: a shorter one would be found everywhere."""
_HEADER: Final = re.compile(r"([A-Za-z0-9-]{1,64}):\Z")
ANY_OPERATION: Final = "*"


@dataclass(frozen=True)
class Target:
    """One API. `credential` is the header that the gate adds, None where the vault holds none; `tags` are by operation."""

    way: Way
    base: str
    routes: Routes
    description: str
    tags: Mapping[str, tuple[tuple[Path, str], ...]]
    pool: httpcore.AsyncConnectionPool = field(repr=False)
    credential: tuple[str, str] | None = field(default=None, repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """What must not come back in an answer."""

    def tagged(self, operation: str) -> tuple[tuple[Path, str], ...]:
        """The tagged paths in the answers of an operation."""
        return (*self.tags.get(operation, ()), *self.tags.get(ANY_OPERATION, ()))

    @property
    def authority(self) -> str:
        """What the Host header says."""
        usual = 443 if self.way.tls else 80
        host = f"[{self.way.host}]" if ":" in self.way.host else self.way.host
        return host if self.way.port == usual else f"{host}:{self.way.port}"


class Targets:
    """The APIs that were asked for, read again once anything in the inventory has changed."""

    def __init__(self, watch: Watch, node_id: UUID) -> None:
        self._watch = watch
        self._node = Actor(kind="gateway", id=str(node_id), name="gateway")
        self._known: dict[str, tuple[int, Target]] = {}
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def of(self, visit: Visit) -> Target:
        """The API that `visit` is at; that its credential is used is recorded once a session. Raises Refusal."""
        name, revision = visit.caller.resource, self._watch.current().revision
        known = self._known.get(name)
        if known is None or known[0] != revision:
            async with self._changing:
                known = self._known.get(name)
                if known is None or known[0] != revision:
                    known = self._known[name] = revision, await self._read(name, known[1] if known else None)
        if known[1].credential is not None and not visit.secret_recorded:
            async with self._changing:
                if not visit.secret_recorded:
                    await in_thread(self._record_use, visit.caller)
                    visit.secret_recorded = True
        return known[1]

    async def _read(self, name: str, before: Target | None) -> Target:
        target = await in_thread(_load, name, before)
        if before is not None and before.pool is not target.pool:
            task = asyncio.create_task(_retire(before.pool))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        return target

    def _record_use(self, caller: Caller) -> None:
        with transaction.atomic():
            resource = Resource.objects.get(id=caller.resource_id)
            record(Event.SECRET_USED, actor=self._node, subject=resource_subject(resource), session=caller.session_id)

    async def close(self) -> None:
        """Close every connection."""
        retiring = list(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        for _, target in self._known.values():
            await target.pool.aclose()
        self._known.clear()


async def _retire(pool: httpcore.AsyncConnectionPool) -> None:
    """Close `pool` when the longest answer that may come through it is over, or when this is cancelled."""
    try:
        await asyncio.sleep(LONGEST)
    finally:
        await pool.aclose()


def _load(name: str, before: Target | None) -> Target:
    """The API `name`, with the connections of `before` where it is reached as it was. Raises Refusal."""
    resource = Resource.objects.filter(name=name, kind=Resource.Kind.HTTP, retired_at=None).first()
    if resource is None:
        raise Refusal(f"There is no API {name} behind the gate.", code="unknown_resource")
    described = ApiDescription.objects.filter(resource=resource).first()
    if described is None:
        raise Refusal(
            f"What {name} can be asked for is not described, so nothing is.",
            code="no_description",
            remedy="A platform engineer gives its OpenAPI document: narrowgate resource describe.",
        )
    try:
        login: Login | None = open_secret(resource)
    except NotFound:
        login = None
    except NarrowgateError as error:
        raise Refusal(error.message, code="no_login", remedy=error.remedy) from None
    way = Way(resource.host, resource.port, resource.tls != "off", resource.tls_ca, resource.connections)
    return Target(
        way,
        resource.path,
        Routes(_operation(one) for one in described.operations),
        described.digest,
        _tags(resource),
        before.pool if before is not None and before.way == way else way.pool(),
        *_credential(login),
    )


def _operation(said: Mapping[str, object]) -> Operation:
    lists = ("queries", "headers", "media")
    return Operation(**{**said, **{name: tuple(said[name]) for name in lists}})  # type: ignore[arg-type]  # as it was written


def _tags(resource: Resource) -> dict[str, tuple[tuple[Path, str], ...]]:
    """The tagged paths of each operation: a tag's table is the operation, or * for all, its column the path."""
    found: dict[str, tuple[tuple[Path, str], ...]] = {}
    for table, column, tag in resource.tags.values_list("table", "column", "tag"):
        found[table] = (*found.get(table, ()), (read_path(column), tag))
    return found


def _credential(login: Login | None) -> tuple[tuple[str, str] | None, tuple[bytes, ...]]:
    """The header that a login stands for: `bearer`, a header's name with a colon, or the user of HTTP's Basic."""
    if login is None:
        return None, ()
    hidden = (login.password.encode(),) if len(login.password) >= SHORTEST_HIDDEN else ()
    named = _HEADER.match(login.user)
    if named and (named[1].lower() == "authorization" or named[1].lower() not in NEVER):
        return (named[1], login.password), hidden
    if login.user.lower() == BEARER:
        return ("Authorization", f"Bearer {login.password}"), hidden
    basic = b64encode(f"{login.user}:{login.password}".encode())
    return ("Authorization", f"Basic {basic.decode()}"), (*hidden, basic)
