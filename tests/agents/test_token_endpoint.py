"""The door for agents, over HTTP as an agent sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, connections
from joserfc import jwt
from joserfc.jwk import KeySet

from agents import actions, keys, tokens
from agents.models import Agent
from agents.oauth_errors import OAuthError
from agents.resource_actions import Where
from gateway.door import Door
from gateway.threads import Pool
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast


@pytest.fixture
def committed(fresh_cast: Cast) -> Iterator[Enrolled]:
    """An enrolled agent that other threads see."""
    segment = actions.create_segment("production", actor=fresh_cast.engineer)
    where: Where = {"host": "localhost", "database": "shop", "tls": "off"}
    resource = actions.add_resource("shop", segment=segment, actor=fresh_cast.engineer, **where)
    yield enrol(fresh_cast, segment, resource, keys.generate("Ed25519"))
    connections.close_all()


def send(method: str, path: str, **options: object) -> httpx.Response:
    async def go() -> httpx.Response:
        door = Door()
        transport = httpx.ASGITransport(app=cast("Any", door), raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="https://localhost:8443") as client:
                return await client.request(method, path, **options)  # type: ignore[arg-type] # httpx's own options
        finally:
            await door.close()

    return async_to_sync(go)()


def form(enrolled: Enrolled) -> dict[str, str]:
    request = request_with(sign(enrolled, claims_of(enrolled)))
    return {name: value for name, value in asdict(request).items() if value}


def test_a_token_comes_back(committed: Enrolled) -> None:
    response = send("POST", "/oauth/token", data=form(committed))
    body = response.json()
    assert (response.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 600)
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers
    assert tokens.verify(body["access_token"], resource="shop").agent == committed.agent.name


def test_a_replay_is_refused_in_oauths_form(committed: Enrolled) -> None:
    used = form(committed)
    assert send("POST", "/oauth/token", data=used).status_code == 200
    response = send("POST", "/oauth/token", data=used)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_two_resources_are_refused(committed: Enrolled) -> None:
    doubled = form(committed) | {"resource": ["shop", "shop"]}
    assert send("POST", "/oauth/token", data=doubled).json()["error"] == "invalid_target"


def test_a_field_given_twice_is_refused(committed: Enrolled) -> None:
    doubled = form(committed) | {"client_assertion": ["a", "b"]}
    assert send("POST", "/oauth/token", data=doubled).json()["error"] == "invalid_request"


def test_another_content_type_is_refused(committed: Enrolled) -> None:
    assert send("POST", "/oauth/token", json=form(committed)).json()["error"] == "invalid_request"


def test_guessing_is_slowed_down(committed: Enrolled) -> None:
    answers = [send("POST", "/oauth/token", data={"grant_type": "password"}).status_code for _ in range(61)]
    assert (set(answers[:60]), answers[60]) == ({400}, 429)


@pytest.mark.parametrize("path", ["/", "/queue/", "/account/login/", "/api/v1/holds", "/health", "/static/x.css"])
def test_nothing_of_the_console_is_behind_this_door(committed: Enrolled, path: str) -> None:
    response = send("GET", path)
    assert (response.status_code, response.json()["error"]) == (404, "not_found")


def test_a_token_is_not_asked_for_by_get(committed: Enrolled) -> None:
    assert send("GET", "/oauth/token").status_code == 405


def test_a_thread_whose_connection_is_lost_opens_another(committed: Enrolled) -> None:
    def lose() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async def go() -> list[bool]:
        pool = Pool("test", 1)
        try:
            with pytest.raises(OperationalError):
                await pool.run(lose)
            return [await pool.run(Agent.objects.exists) for _ in range(2)]
        finally:
            await pool.close()

    assert async_to_sync(go)() == [True, True]


def test_of_two_processes_at_once_one_gets_it(committed: Enrolled) -> None:
    request = request_with(sign(committed, claims_of(committed)))
    start, outcomes = threading.Barrier(4), []

    def ask() -> None:
        start.wait()
        try:
            tokens.issue(request)
            outcomes.append("issued")
        except OAuthError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["invalid_client"] * 3 + ["issued"]


def test_a_client_finds_everything_out_by_itself(committed: Enrolled) -> None:
    said = send("GET", "/.well-known/oauth-authorization-server")
    body = said.json()
    assert said.headers["cache-control"] == "public, max-age=300"
    assert body["token_endpoint"] == f"{body['issuer']}/oauth/token"
    assert body["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "tls_client_auth"]
    keys_said = send("GET", urlsplit(body["jwks_uri"]).path)
    assert keys_said.headers["content-type"] == "application/jwk-set+json"
    token = send("POST", "/oauth/token", data=form(committed)).json()["access_token"]
    assert jwt.decode(token, KeySet.import_key_set(keys_said.json()), algorithms=["ES256"]).claims["sub"]


@pytest.mark.parametrize("name", ["shop", "there-is-none-of-this-name"])
def test_a_resource_says_who_issues_its_tokens_and_not_whether_it_exists(committed: Enrolled, name: str) -> None:
    body = send("GET", f"/.well-known/oauth-protected-resource/resources/{name}").json()
    assert body["resource"].endswith(f"/resources/{name}")
    assert body["authorization_servers"] == [send("GET", "/.well-known/oauth-protected-resource").json()["resource"]]


def test_the_address_of_a_resource_names_it_for_a_token(committed: Enrolled) -> None:
    address = send("GET", "/.well-known/oauth-protected-resource/resources/shop").json()["resource"]
    response = send("POST", "/oauth/token", data=form(committed) | {"resource": address})
    assert response.status_code == 200


def test_a_token_is_looked_at_and_given_back(committed: Enrolled) -> None:
    token = send("POST", "/oauth/token", data=form(committed)).json()["access_token"]

    def ask(path: str) -> httpx.Response:
        proof = {name: form(committed)[name] for name in ("client_assertion", "client_assertion_type")}
        return send("POST", path, data=proof | {"token": token})

    assert ask("/oauth/introspect").json()["active"] is True
    assert (ask("/oauth/revoke").status_code, ask("/oauth/introspect").json()) == (200, {"active": False})


def test_questions_are_bounded(committed: Enrolled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.oauth.QUESTIONS_A_MINUTE", 2)
    answers = [send("POST", "/oauth/introspect", data={"token": "x"}).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/v1/certificate"])
@pytest.mark.parametrize(("size", "status"), [(20_000, 400), (2_000_000, 413)])
def test_a_long_form_is_refused_in_oauths_form(committed: Enrolled, path: str, size: int, status: int) -> None:
    response = send("POST", path, data={"token": "x" * size})
    assert (response.status_code, response.json()["error"]) == (status, "invalid_request")
