"""Every address × every role: those who may, and for all others nothing is there. No address is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django.plugin import DjangoDbBlocker

from tests.bring.callers import Caller, browser, new_key
from tests.conftest import fresh
from tests.databases import TestCluster
from tests.matrix.everything import POLICY, ROLES, Everything, everything
from tests.matrix.table import ALLAUTHS, NOBODYS, OPEN, TABLE, Row

pytestmark = pytest.mark.xdist_group("matrix")
LETTERS = dict(zip("RCAEOMX", ROLES, strict=True))
METHODS = ("get", "post", "put", "patch", "delete")
RULED = {400, 409, 422}
"""The thing itself answers (it is settled, or cannot be reached): whoever hears of that may."""


@pytest.fixture(scope="module")
def world(
    cluster: TestCluster,
    django_db_setup: None,
    worker: str,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Everything]:
    """One of everything, for all tests here: what each of them changes, it undoes."""
    from tests.cast import meet  # it imports models, which must wait for Django

    folder = tmp_path_factory.mktemp("matrix")
    with (
        fresh(cluster, worker, django_db_blocker) as logins,
        everything(meet(), logins.sequencer, folder) as made,
    ):
        yield made


API_ROUTES = ("api/", "access/")
"""Addresses for tokens; the others are for sessions."""


def routes(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            yield from routes(one, before + str(one.pattern))
        elif not one.lookup_str.startswith(ALLAUTHS):
            yield before + str(one.pattern), one


def test_every_address_is_in_the_table() -> None:
    known = {row.route for row in TABLE} | NOBODYS
    assert {route for route, _ in routes(get_resolver())} == known


def test_every_address_for_every_role(world: Everything) -> None:
    wrong = []
    people = {role: getattr(world.cast, role) for role in ROLES}
    doors = {role: (browser(person), Caller(person).client) for role, person in people.items()}
    for row in TABLE:
        for letter, role in LETTERS.items():
            status = _asked(doors[role][row.route.startswith(API_ROUTES)], row, world)
            if not _as_it_should(status, row, letter):
                wrong.append(f"{row.method} /{row.route} as {role}: {status}")
    assert not wrong, "\n".join(wrong)


def test_nobody_signed_in_is_let_in_anywhere(world: Everything) -> None:
    for row in TABLE:
        status = _asked(Client(), row, world)
        if row.route not in OPEN:
            assert status == (401 if row.route.startswith(API_ROUTES) else 302), row


def test_what_no_address_takes_is_refused(world: Everything) -> None:
    taken = {(row.method, row.route) for row in TABLE}
    page, api = browser(world.cast.administrator), Caller(world.cast.administrator).client
    for route in sorted({row.route for row in TABLE}):
        cache.clear()  # how often somebody asks is not what is asked here
        for method in METHODS:
            if (method, route) not in taken:
                client = api if route.startswith(API_ROUTES) else page
                assert _asked(client, Row(method, route, ""), world) in {403, 404, 405}, (method, route)


def _as_it_should(status: int, row: Row, letter: str) -> bool:
    if letter in row.may:
        return status < 400 or status in RULED
    return status == (403 if letter in row.told else 404)


def _asked(client: Client, row: Row, world: Everything) -> int:
    """The answer's status; whatever was changed is undone."""
    parts = world.parts(row.route)
    address = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(parts[found[1]]), row.route)
    body = _filled(row.body, world)
    kind = {"content_type": "application/json"} if row.route.startswith(API_ROUTES) else {}
    with transaction.atomic():
        given: Any = {"data": body} if row.method == "get" else {"data": body, **kind}
        answer = getattr(client, row.method)(address, **given)
        if answer.streaming:
            answer.close()
        transaction.set_rollback(True)
    return int(answer.status_code)


def _filled(body: dict[str, Any], world: Everything) -> dict[str, Any]:
    """The body with what only this world knows."""
    known = {"digest": world.hold.digest, "text": POLICY, "public_jwk": new_key()}
    named = {"its own", "a policy"}
    return {
        name: known[name] if name == "public_jwk" or (isinstance(value, str) and value in named) else value
        for name, value in body.items()
    }
