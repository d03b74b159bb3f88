"""What this gateway knows of the APIs behind it: where each is, what it can be asked for, which credential goes with a request."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agents.api_models import ApiDescription
from agents.models import Resource
from agents.openapi import Operation
from agents.vault import Login, open_secret
from core.errors import NarrowgateError, NotFound
from gateway.http.masking import Path, read_path
from gateway.http.paths import Routes
from gateway.http.pool import Pool
from gateway.http.reaching import Way
from gateway.http.reading import NEVER
from gateway.refusal import Refusal

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
    pool: Pool = field(repr=False)
    credential: tuple[str, str] | None = field(default=None, repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """What must not come back in an answer."""

    def tagged(self, operation: str) -> tuple[tuple[Path, str], ...]:
        """The tagged paths in the answers of an operation."""
        return (*self.tags.get(operation, ()), *self.tags.get(ANY_OPERATION, ()))


def load(name: str, before: Target | None) -> Target:
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
        *credential_of(login),
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


def credential_of(login: Login | None) -> tuple[tuple[str, str] | None, tuple[bytes, ...]]:
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
