"""The door for agents does what its description says, whatever it is sent: no 500, no undocumented status, type or body."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import httpx
import pytest
import requests
import schemathesis
from django.urls import URLPattern
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from joserfc import jws

from agents import actions, keys
from agents.resource_actions import Where
from gateway import oauth, openapi, urls
from gateway.door import Answer, Door
from tests.agents.conftest import Enrolled, claims_of, enrol, sign
from tests.api.test_description import CHECKS
from tests.cast import Cast

ISSUER = "https://localhost:8443"
FEW = hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
schema = schemathesis.openapi.from_dict(openapi.description(ISSUER))
schema.config.phases.coverage.enabled = False  # its thousands of near misses are one and the same refusal here


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are what this is about."""
    monkeypatch.setattr(oauth, "REFUSALS_A_MINUTE", 1_000_000)
    monkeypatch.setattr(oauth, "QUESTIONS_A_MINUTE", 1_000_000)


@pytest.fixture
def enrolled(cast: Cast) -> Enrolled:
    """An agent whose key is known here."""
    segment = actions.create_segment("production", actor=cast.engineer)
    where: Where = {"host": "localhost", "database": "shop", "tls": "off"}
    resource = actions.add_resource("shop", segment=segment, actor=cast.engineer, **where)
    return enrol(cast, segment, resource, keys.generate("Ed25519"))


@pytest.mark.django_db
@schema.parametrize()
@FEW
def test_every_address_keeps_to_it(case: schemathesis.Case[Any]) -> None:
    case.validate_response(_sent(case), checks=CHECKS)


@pytest.mark.django_db
@schema.include(method="POST").parametrize()
@FEW
def test_so_does_it_for_an_agent_that_proves_itself(case: schemathesis.Case[Any], enrolled: Enrolled) -> None:
    proof = {"client_assertion": sign(enrolled, claims_of(enrolled)), "client_id": enrolled.agent.name}
    proof["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    said = {name: value for name, value in _fields(case).items() if name not in proof}
    usual = {"grant_type": "client_credentials", "resource": "shop"} if len(said) % 2 else {}
    answer = _sent(case, urlencode(said | usual | proof).encode())
    case.validate_response(answer, checks=CHECKS)


@pytest.mark.django_db
@pytest.mark.parametrize("field", sorted(openapi.TOKEN_FORM))
@pytest.mark.parametrize("text", ["\0", "a\ud800", "\U0010ffff" * 400, "0" * 3000])
def test_no_text_of_a_field_breaks_it(enrolled: Enrolled, field: str, text: str) -> None:
    said = {"grant_type": "client_credentials", "resource": "shop", "client_id": enrolled.agent.name} | {
        "client_assertion": sign(enrolled, claims_of(enrolled)),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    form = urlencode(said | {field: text.encode("utf-8", "surrogatepass")}).encode()
    kind = {"content-type": openapi.FORM}
    answer = _asked("POST", "/oauth/token", kind, form)
    assert answer.status in {200, 400, 401}


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["\0\0\0\0\0\0\0\0", "\ud800\ud800\ud800\ud800\ud800\ud800\ud800\ud800", "\u202e" * 8])
def test_no_text_within_a_jwt_breaks_it(enrolled: Enrolled, text: str) -> None:
    head: dict[str, Any] = {"alg": "Ed25519", "kid": keys.kid_of(enrolled.key)}
    for changed in ({"iss": text}, {"jti": text}, {"aud": text}, {"sub": text}):
        _prove(_signed(head, claims_of(enrolled, **changed), enrolled.key))
    _prove(_signed(head | {"kid": text}, claims_of(enrolled), enrolled.key))
    for name in ("nonce", "jti", "htu", "ath"):
        key = keys.generate("ES256")
        claims = {"htm": "POST", "htu": f"{ISSUER}/oauth/token", "iat": int(time.time()), "jti": "12345678", name: text}
        public = {part: value for part, value in keys.public_jwk(key).items() if part in {"kty", "crv", "x", "y"}}
        proof = _signed({"typ": "dpop+jwt", "alg": "ES256", "jwk": public}, claims, key)
        _prove(sign(enrolled, claims_of(enrolled)), DPoP=proof)


def _signed(head: dict[str, Any], claims: dict[str, Any], key: keys.Key) -> str:
    """A JWT of texts that are no Unicode, which its JSON can say all the same."""
    return jws.serialize_compact(head, json.dumps(claims), key, algorithms=[head["alg"]])


def _prove(assertion: str, **headers: str) -> None:
    form = {"grant_type": "client_credentials", "resource": "shop", "client_assertion": assertion}
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    answer = _asked("POST", "/oauth/token", {"content-type": openapi.FORM, **headers}, urlencode(form).encode())
    assert answer.status in {200, 400, 401}, answer


def test_every_address_is_described() -> None:
    found = {_path(one) for one in urls.urlpatterns}
    assert found == set(openapi.description(ISSUER)["paths"])


def _path(pattern: URLPattern) -> str:
    return "/" + str(pattern.pattern).replace("<slug:name>", "{name}")


def _fields(case: schemathesis.Case[Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in case.body.items()} if isinstance(case.body, dict) else {}


def _sent(case: schemathesis.Case[Any], form: bytes | None = None) -> httpx.Response:
    """The door's answer to `case`, in this thread, as schemathesis reads it."""
    asked = requests.Request(**case.as_transport_kwargs(base_url=ISSUER)).prepare()
    address = urlsplit(asked.url or "")
    body = form if form is not None else asked.body or b""
    answer = _asked(
        str(asked.method), unquote(address.path), asked.headers, body if isinstance(body, bytes) else str(body).encode(),
        query=address.query.encode(),
    )  # fmt: skip
    response = httpx.Response(
        answer.status, headers=answer.headers, content=answer.body, request=httpx.Request(asked.method or "", asked.url or "")
    )  # fmt: skip
    response.elapsed = timedelta()
    return response


def _asked(method: str, path: str, said: Mapping[str, str | bytes], body: bytes, *, query: bytes = b"") -> Answer:
    """The door's own answer, given in this thread."""
    headers = [
        (name.lower().encode(), value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
        for name, value in said.items()
    ]
    scope = {
        "type": "http", "method": method, "scheme": "https", "path": path, "query_string": query,
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 8443),
    }  # fmt: skip
    return Door()._answer(scope, body)
