"""What the agents' stories share: a segment, a resource, an enrolled agent with its key."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt

from agents import actions, keys
from agents.models import Agent, Resource, Segment
from agents.proof import ASSERTION_TYPE
from agents.resource_actions import Where
from agents.tokens import GRANT_TYPE, TokenRequest, token_endpoint
from tests.cast import Cast


@dataclass(frozen=True)
class Enrolled:
    """An agent and the private key it holds."""

    agent: Agent
    key: keys.Key
    resource: Resource


@pytest.fixture
def segment(cast: Cast) -> Segment:
    return actions.create_segment("production", purpose="What customers use", actor=cast.engineer)


@pytest.fixture
def resource(cast: Cast, segment: Segment) -> Resource:
    where: Where = {"host": "localhost", "database": "shop", "tls": "off"}
    return actions.add_resource("shop", segment=segment, owner=cast.owner, actor=cast.engineer, **where)


@pytest.fixture
def enrolled(cast: Cast, segment: Segment, resource: Resource) -> Enrolled:
    return enrol(cast, segment, resource, keys.generate("ES256"))


def enrol(
    cast: Cast, segment: Segment, resource: Resource, key: keys.Key, name: str = "support.production"
) -> Enrolled:
    agent = actions.enrol(
        name,
        purpose="Answers customers",
        segment=segment,
        owner=cast.owner,
        public_jwk=keys.public_jwk(key),
        actor=cast.engineer,
    )
    return Enrolled(agent, key, resource)


def claims_of(enrolled: Enrolled, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": enrolled.agent.name,
        "sub": enrolled.agent.name,
        "aud": token_endpoint(),
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    }
    return {name: value for name, value in (claims | changed).items() if value is not None}


def sign(enrolled: Enrolled, claims: dict[str, Any], **header: Any) -> str:
    algorithm = keys.algorithm_of(enrolled.key)
    head = {"alg": algorithm, "kid": keys.kid_of(enrolled.key)} | header
    return jwt.encode(head, claims, enrolled.key, algorithms=[algorithm])


def request_with(assertion: str, **changed: str) -> TokenRequest:
    form: dict[str, Any] = {
        "grant_type": GRANT_TYPE,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        "resource": "shop",
    }
    return TokenRequest(**(form | changed))


@pytest.fixture
def ask(enrolled: Enrolled) -> Callable[..., TokenRequest]:
    """A token request of the enrolled agent, with claims changed or (None) left out."""
    return lambda **changed: request_with(sign(enrolled, claims_of(enrolled, **changed)))
