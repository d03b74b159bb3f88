"""Step 1 over HTTP: who a request is from, by the token that it presents and what that token is bound to.

RFC 6750 for a token alone or bound to the connection's certificate (RFC 8705), RFC 9449 for one bound to a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from agents import dpop, tokens
from agents.access import Identity
from agents.binding import require_shown
from agents.dpop import DpopProof
from agents.keys import ALGORITHMS
from agents.models import Agent, Credential
from agents.oauth_errors import OAuthError, invalid_dpop_proof
from agents.proof import require_own
from agents.replay import is_first_use
from core.errors import Refused
from gateway.https import certificate_of, proved_at

NONCE = "DPoP-Nonce"


class Challenge(Exception):
    """A request that proves nobody: what is wrong with it, and the headers that say how to do better."""

    def __init__(self, code: str, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.code, self.message, self.headers = code, message, headers


def identify(request: HttpRequest) -> Identity:
    """Who asks, the credential being alive and everything that it is bound to shown. Raises Challenge."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    kind = "DPoP" if scheme.lower() == "dpop" else "Bearer"
    try:
        return _identify(request, scheme.lower(), token)
    except OAuthError as error:
        raise Challenge(error.code, error.message, _how(kind, error.code) | nonce_header()) from None
    except Refused as error:
        raise Challenge(error.code, error.message, _how(kind)) from None


def _identify(request: HttpRequest, scheme: str, token: str) -> Identity:
    """Steps: 1. the token; 2. the proof that comes with it; 3. what it is bound to; 4. revocation."""
    # 1. The token.
    if scheme not in {"bearer", "dpop"} or not token:
        raise Refused("The Authorization header carries no access token.", code="no_token")
    identity = tokens.read(token)
    # 2. The proof.
    proof = dpop_proof(request, token) if scheme == "dpop" else None
    if proof is not None and not identity.jkt:
        raise Refused("The token is bound to no key: it is presented as Bearer.", code="token_bound")
    # 3. What it is bound to.
    certificate, source = certificate_of(request), str(request.META.get("REMOTE_ADDR", ""))
    require_shown(identity, source=source, key=proof.thumbprint if proof else "", certificate=certificate)
    # 4. Revocation.
    _require_alive(identity, certificate)
    if proof is not None:
        return replace(identity, proved_at=proof.made_at)
    return replace(identity, proved_at=proved_at(request)) if identity.x5t else identity


def dpop_proof(request: HttpRequest, token: str = "") -> DpopProof | None:
    """The proof in a request's DPoP header, used for the first time; None where there is no header. Raises OAuthError."""
    header = request.META.get("HTTP_DPOP")
    if header is None:
        if token:
            raise invalid_dpop_proof("A DPoP token comes with a DPoP header.")
        return None
    now = datetime.now(UTC)
    proof = dpop.verify(
        header,
        method=str(request.method), address=settings.GATEWAY_URL + request.path, now=now, token=token,
        knows_nonce=lambda given: dpop.knows_nonce(_secret(), given, now),
    )  # fmt: skip
    if not is_first_use("dpop", proof.thumbprint, proof.jti, expires_at=proof.expires_at):
        raise invalid_dpop_proof("The DPoP proof was used before.")
    return proof


def nonce_header() -> dict[str, str]:
    """The nonce that the next proof is to hold."""
    return {NONCE: dpop.nonce(_secret(), datetime.now(UTC))}


def _secret() -> bytes:
    """What nonces are made with: the same in every process of the deployment."""
    return salted_hmac("narrowgate.dpop", "nonce", algorithm="sha256").digest()


def _require_alive(identity: Identity, certificate: bytes | None) -> None:
    """Raise Refused for a credential that was revoked; OAuthError for a certificate that was, and that it is bound to."""
    alive = Credential.objects.select_related("agent").filter(id=identity.credential, revoked_at=None)
    credential = alive.filter(agent__status=Agent.Status.ACTIVE).first()
    if credential is None:
        raise Refused("The credential was revoked.", code="credential_revoked")
    if identity.x5t and certificate is not None:
        require_own(certificate, credential.agent)


def _how(scheme: str, error: str = "invalid_token") -> dict[str, str]:
    algorithms = f', algs="{" ".join(ALGORITHMS)}"' if scheme == "DPoP" else ""
    return {"WWW-Authenticate": f'{scheme} error="{error}"{algorithms}'}
