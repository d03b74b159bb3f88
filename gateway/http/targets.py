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
from gateway.http import reaching
from gateway.http.masking import Path, read_path
from gateway.http.paths import Routes
from gateway.http.reading import NEVER
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
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

    resource_id: UUID
    host: str
    port: int
    tls: bool
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
        usual = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == usual else f"{host}:{self.port}"


class Targets:
    """The APIs that were asked for, read again once anything in the inventory has changed."""

    def __init__(self, watch: Watch, node_id: UUID) -> None:
        self._watch = watch
        self._node = Actor(kind="gateway", id=str(node_id), name="gateway")
        self._known: dict[str, tuple[int, Target]] = {}
        self._used: dict[UUID, UUID] = {}
        self._loading = asyncio.Lock()

    async def of(self, caller: Caller) -> Target:
        """The API that `caller` is at; that its credential is used is recorded once a session. Raises Refusal."""
        revision = self._watch.current().revision
        known = self._known.get(caller.resource)
        if known is None or known[0] != revision:
            async with self._loading:
                known = self._known.get(caller.resource)
                if known is None or known[0] != revision:
                    known = await self._load(caller, revision, known)
        if known[1].credential is not None and self._used.get(caller.resource_id) != caller.session_id:
            await in_thread(self._record_use, caller)
            self._used[caller.resource_id] = caller.session_id
        return known[1]

    async def _load(self, caller: Caller, revision: int, before: tuple[int, Target] | None) -> tuple[int, Target]:
        target = await in_thread(_load, caller.resource)
        self._known[caller.resource] = loaded = revision, target
        if before is not None:
            asyncio.get_running_loop().call_later(reaching.SILENT_FOR, _close, before[1].pool)
        return loaded

    def _record_use(self, caller: Caller) -> None:
        with transaction.atomic():
            resource = Resource.objects.get(id=caller.resource_id)
            record(Event.SECRET_USED, actor=self._node, subject=resource_subject(resource), session=caller.session_id)

    async def close(self) -> None:
        """Close every connection."""
        for _, target in self._known.values():
            await target.pool.aclose()
        self._known.clear()


_closing: set[asyncio.Task[None]] = set()


def _close(pool: httpcore.AsyncConnectionPool) -> None:
    task = asyncio.ensure_future(pool.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def _load(name: str) -> Target:
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
    tls = resource.tls != "off"
    return Target(
        resource.id,
        resource.host,
        resource.port,
        tls,
        resource.path,
        Routes(_operation(one) for one in described.operations),
        described.digest,
        _tags(resource),
        reaching.pool(host=resource.host, tls=tls, own_ca=resource.tls_ca, connections=resource.connections),
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
