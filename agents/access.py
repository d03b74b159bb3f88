"""Access tokens: a JWT (RFC 9068) for one agent at one resource, ten minutes long. Pure.

Bound to a key (RFC 9449) or a certificate (RFC 8705) where the client shows one. A protocol that carries only a password cannot
prove possession: such a token is a bearer token, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError

from agents.keys import Key, algorithm_of, kid_of
from core.errors import Refused

TOKEN_TYPE = "at+jwt"  # noqa: S105 -- RFC 9068's media type, not a secret
SCOPE = "act"
LIFE = timedelta(minutes=10)
LONGEST_LIFE = timedelta(hours=1)
SKEW = timedelta(seconds=5)  # our own clocks, on several machines
LONGEST_TOKEN = 4096  # characters
RESOURCE_URN = "urn:narrowgate:resource:"


@dataclass(frozen=True)
class Identity:
    """Who is asking, as a verified token says: steps 1 of every protocol end here.

    `purpose` and `on_behalf_of` (a person's identifier) are what the agent claims. `expires_at` is in UTC.
    """

    agent: str
    resource: str
    credential: UUID
    expires_at: datetime
    kind: str = "bearer"
    purpose: str = ""
    on_behalf_of: str = ""
    delegated: bool = False
    """Whether that person let it; else it is only a claim."""
    through: tuple[str, ...] = ()
    """The agents that handed the delegation on, the first one first."""
    verbs: frozenset[str] | None = None
    """The only verbs that it is good for; None for whatever policy lets it do."""
    jkt: str = ""
    """The thumbprint of the key that must be proved with each use (RFC 9449); empty where there is none."""
    x5t: str = ""
    """The SHA-256 of the certificate that must be shown with each use (RFC 8705); likewise."""
    networks: tuple[str, ...] = ()
    """The only networks that it may be used from; none for any."""
    issued_at: datetime | None = field(default=None, compare=False)
    """When it was signed; None before."""
    proved_at: datetime | None = field(default=None, compare=False)
    """When it was proved that the key is held: by this connection or request, not by the token."""

    def claims(self, issuer: str) -> dict[str, Any]:
        """What the token says of it, by the names of RFC 9068 and our own."""
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": self.on_behalf_of if self.delegated else self.agent,
            "client_id": self.agent,
            "aud": RESOURCE_URN + self.resource,
            "scope": " ".join([SCOPE, *sorted(self.verbs or ())]),
            "exp": int(self.expires_at.timestamp()),
            "jti": str(self.credential),
            "cred": self.kind,
        }
        claims |= {"iat": int(self.issued_at.timestamp())} if self.issued_at else {}
        claims |= {"purpose": self.purpose} if self.purpose else {}
        if self.delegated:  # RFC 8693 section 4.1: who acts now is outermost
            claims |= {"act": _nested((*self.through, self.agent))}
        elif self.on_behalf_of:
            claims |= {"act_for": self.on_behalf_of}
        claims |= {"networks": list(self.networks)} if self.networks else {}
        bound = ({"jkt": self.jkt} if self.jkt else {}) | ({"x5t#S256": self.x5t} if self.x5t else {})
        claims |= {"cnf": bound} if bound else {}
        return claims


def sign(identity: Identity, *, key: Key, issuer: str, now: datetime) -> str:
    """The token that says `identity`. Its life was limited when the credential was made."""
    claims = replace(identity, issued_at=now).claims(issuer)
    algorithm = algorithm_of(key)
    header = {"alg": algorithm, "typ": TOKEN_TYPE, "kid": kid_of(key)}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


def verify(token: str, *, keys: Mapping[str, Key], issuer: str, resource: str, now: datetime) -> Identity:
    """Who `token` says is asking for `resource`. Raises Refused, as `read` does."""
    identity = read(token, keys=keys, issuer=issuer, now=now)
    if identity.resource != resource:
        raise _refused(f"The token is for another resource than {resource}.")
    return identity


def read(token: str, *, keys: Mapping[str, Key], issuer: str, now: datetime) -> Identity:
    """Who `token` says is asking, for whatever resource. Raises Refused (code `invalid_token`, or `expired_token`).

    Steps: 1. the key, by its identifier; 2. signature; 3. type and issuer; 4. times. Whether the
    credential was revoked and the agent is active is not in the token: ask the snapshot.
    """
    if len(token) > LONGEST_TOKEN:
        raise _refused("The token is too long.")
    # 1. The key: ours, named by the header, used with its own algorithm.
    key = keys.get(_kid(token))
    if key is None:
        raise _refused("The token is not one of this gate's.")
    # 2. Signature.
    try:
        decoded = jwt.decode(token, key, algorithms=[algorithm_of(key)])
    except (JoseError, ValueError):
        raise _refused("The token's signature is wrong.") from None
    claims = decoded.claims
    # 3. What it is, and from whom.
    if decoded.header.get("typ") != TOKEN_TYPE or claims.get("iss") != issuer or not _is_scope(claims):
        raise _refused("The token is not an access token of this gate.")
    # 4. When.
    identity = _identity(claims)
    if identity.expires_at + SKEW <= now:
        raise Refused("The token has expired.", "Ask for another.", code="expired_token")
    return identity


def _kid(token: str) -> str:
    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, TypeError, AttributeError):
        raise _refused("The password is not an access token.") from None
    return str(kid)


def _identity(claims: Mapping[str, Any]) -> Identity:
    try:
        bound = claims.get("cnf", {})
        *through, agent = _chain(claims["act"]) if "act" in claims else [str(claims["sub"])]
        person = claims["sub"] if "act" in claims else claims.get("act_for", "")
        _, name = str(claims["aud"]).split(RESOURCE_URN)
        return Identity(
            agent=agent,
            resource=name,
            credential=UUID(str(claims["jti"])),
            expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
            kind=str(claims["cred"]),
            purpose=str(claims.get("purpose", "")),
            on_behalf_of=str(person),
            delegated="act" in claims,
            through=tuple(through),
            verbs=frozenset(str(claims["scope"]).split()[1:]) or None,
            jkt=str(bound.get("jkt", "")),
            x5t=str(bound.get("x5t#S256", "")),
            networks=tuple(map(str, claims.get("networks", ()))),
            issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
        )
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise _refused("The token lacks what every token of this gate has.") from None


def _is_scope(claims: Mapping[str, Any]) -> bool:
    return str(claims.get("scope", "")).split()[:1] == [SCOPE]


def _nested(chain: Sequence[str]) -> dict[str, Any]:
    """Who acts, with those before it inside."""
    said: dict[str, Any] = {}
    for name in chain:
        said = {"sub": name} | ({"act": said} if said else {})
    return said


def _chain(said: Any) -> list[str]:  # noqa: ANN401 -- JSON
    """The names in nested `act` claims, the first one first."""
    names: list[str] = []
    while said:
        names.insert(0, str(said["sub"]))
        said = said.get("act")
    return names


def _refused(message: str) -> Refused:
    return Refused(message, "Ask for one with narrowgate token.", code="invalid_token")
