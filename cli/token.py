"""`narrowgate token`: an agent proves that it holds its key and gets a token for one resource."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from cli.state import StateOption, World, read
from core.errors import NarrowgateError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE = 60  # seconds
PROOF_TYPE = "narrowgate-proof+jwt"
DEFAULT_RESOURCE = "shop"


def token(
    agent: Annotated[str, typer.Argument(help="The agent's name, as in support.production.")],
    resource: Annotated[str, typer.Option(help="The one resource that the token is for.")] = DEFAULT_RESOURCE,
    purpose: Annotated[str, typer.Option(help="What it is for, in the agent's words.")] = "",
    key: Annotated[Path | None, typer.Option(help="The agent's private key (JWK).")] = None,
    state: StateOption = None,
) -> None:
    """Print a ten-minute token of an agent for one resource: the password for psql."""
    world = read(state)
    typer.echo(request_token(world, agent, resource, key=key or world.key_of(agent), purpose=purpose))


def request_token(world: World, agent: str, resource: str, *, key: Path, purpose: str = "") -> str:
    """Ask the gate for a token. Raises NarrowgateError with the gate's reason."""
    form = {"grant_type": "client_credentials", "resource": resource, "purpose": purpose}
    answer = ask_as(world, agent, read_key(key), "/oauth/token", form)
    return str(answer["access_token"])


def ask_as(world: World, agent: str, key: ECKey | OKPKey, path: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Post a form to the gate's door with a proof that the agent's key is held. Raises NarrowgateError with the gate's reason."""
    proof = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(agent, key, audience=world.token_endpoint),
    }
    try:
        trusted = ssl.create_default_context(cafile=str(world.ca))
        address = f"https://{world.http}{path}"
        response = httpx.post(address, data={**form, **proof}, verify=trusted, timeout=10, trust_env=False)
        answer: dict[str, Any] = response.json()
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise NarrowgateError(f"The gate at {world.http} does not answer: {error}.", "Is the server running?") from None
    if response.is_error:
        raise NarrowgateError(str(answer.get("error_description", "The gate refused, without a reason.")))
    return answer


def assertion(agent: str, key: ECKey | OKPKey, *, audience: str) -> str:
    """A client assertion (RFC 7523): short-lived, usable once, signed by the agent's own key."""
    now = int(time.time())
    claims = {
        "iss": agent,
        "sub": agent,
        "aud": audience,
        "iat": now,
        "exp": now + ASSERTION_LIFE,
        "jti": uuid.uuid4().hex,
    }
    algorithm = "ES256" if isinstance(key, ECKey) else "Ed25519"
    return jwt.encode({"alg": algorithm, "kid": key.thumbprint()}, claims, key, algorithms=[algorithm])


def proof(
    agent: Annotated[str, typer.Argument(help="The agent's name, as in support.production.")],
    challenge: Annotated[str, typer.Argument(help="What the gate asked: it stands in the refusal's hint.")],
    key: Annotated[Path | None, typer.Option(help="The agent's private key (JWK).")] = None,
    state: StateOption = None,
) -> None:
    """Print a proof that an agent holds its key, for SET narrowgate.proof: an answer to one challenge in one session."""
    held = read_key(key or read(state).key_of(agent))
    algorithm = "ES256" if isinstance(held, ECKey) else "Ed25519"
    head = {"alg": algorithm, "typ": PROOF_TYPE, "kid": held.thumbprint()}
    typer.echo(jwt.encode(head, {"iss": agent, "challenge": challenge}, held, algorithms=[algorithm]))


def read_key(path: Path) -> ECKey | OKPKey:
    """An agent's private key from its file. Raises NarrowgateError."""
    try:
        jwk: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return ECKey.import_key(jwk) if jwk["kty"] == "EC" else OKPKey.import_key(jwk)
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, JoseError):
        raise NarrowgateError(f"The key {path} is not a private key (JWK).") from None
