"""What this gateway knows of the tool servers behind it: where each is, what of it was accepted, what in its answers is tagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from agents.models import Resource
from agents.tool_models import ToolServer
from agents.tools import Definition
from agents.vault import Login, open_secret
from core.errors import NarrowgateError, NotFound
from gateway.http.masking import Path, read_path
from gateway.http.pool import Pool
from gateway.http.reaching import Way
from gateway.http.targets import SHORTEST_HIDDEN, credential_of
from gateway.mcp.offers import Accepted
from gateway.refusal import Refusal

ANY: Final = "*"
HTTP_PATH: Final = "/mcp"
Tags = Mapping[str, tuple[tuple[Path, str], ...]]


@dataclass(frozen=True)
class Server:
    """One tool server. With a `command` the gate runs it, and `credential` is a variable of its environment, else a header."""

    id: UUID
    name: str
    way: Way
    path: str
    accepted: Accepted
    tags: Tags
    command: tuple[str, ...] = ()
    pool: Pool | None = field(default=None, repr=False)
    credential: tuple[str, str] | None = field(default=None, repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """What must not come back in an answer."""

    def tagged(self, operation: str) -> tuple[tuple[Path, str], ...]:
        """The tagged paths in the answers of a tool, or of reading resources."""
        return (*self.tags.get(operation, ()), *self.tags.get(ANY, ()))

    @property
    def same_way(self) -> tuple[object, ...]:
        """What a session with it rests on: where it changes, a session ends."""
        return self.way, self.path, self.command, self.credential


def load(name: str, before: Server | None) -> Server:
    """The tool server `name`, with the connections of `before` where it is reached as it was. Raises Refusal."""
    found = Resource.objects.select_related("tool_server").filter(name=name, kind=Resource.Kind.MCP, retired_at=None)
    resource = found.first()
    if resource is None:
        raise Refusal(f"There is no tool server {name} behind the gate.", code="unknown_resource")
    known = ToolServer.objects.filter(resource=resource).first()
    command = tuple(known.command or ()) if known is not None else ()
    way = Way(resource.host, resource.port, resource.tls != "off", resource.tls_ca, resource.connections)
    credential, secrets = _credential(_login(resource), run=bool(command))
    pool = before.pool if before is not None and before.way == way else None
    return Server(
        resource.id, name, way, resource.path or HTTP_PATH, _accepted(resource), _tags(resource), command,
        None if command else pool or way.pool(), credential, secrets,
    )  # fmt: skip


def _login(resource: Resource) -> Login | None:
    try:
        return open_secret(resource)
    except NotFound:
        return None
    except NarrowgateError as error:
        raise Refusal(error.message, code="no_login", remedy=error.remedy) from None


def _credential(login: Login | None, *, run: bool) -> tuple[tuple[str, str] | None, tuple[bytes, ...]]:
    if login is None or not run:
        return credential_of(login)
    hidden = (login.password.encode(),) if len(login.password) >= SHORTEST_HIDDEN else ()
    return (login.user, login.password), hidden


def _accepted(resource: Resource) -> Accepted:
    definitions, seen = {}, {}
    for one in resource.definitions.filter(gone_at=None):
        seen[one.kind, one.name] = one.digest
        if one.accepted_digest:
            definitions[one.kind, one.name] = Definition(one.kind, one.name, one.accepted or {}, one.accepted_digest)
    return Accepted(definitions, seen)


def _tags(resource: Resource) -> Tags:
    """The tagged paths of each operation: a tag's table is the tool, or * for all, its column the path."""
    found: dict[str, tuple[tuple[Path, str], ...]] = {}
    for table, column, tag in resource.tags.values_list("table", "column", "tag"):
        found[table] = (*found.get(table, ()), (read_path(column), tag))
    return found
