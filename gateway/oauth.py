"""An agent's ways to a credential (`POST /oauth/token`, `POST /v1/certificate`), and to knowing and ending its own.

RFC 6749 section 4.4, RFC 7523, RFC 8705, RFC 8707, RFC 9449; introspection is RFC 7662, revocation RFC 7009.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents import certificates, exchange, token_state, tokens
from agents.certificates import CertificateRequest
from agents.oauth_errors import OAuthError, invalid_request, invalid_target
from agents.token_state import StateRequest
from agents.tokens import TokenRequest
from gateway.https import certificate_of
from gateway.presented import dpop_proof, nonce_header

FORM = "application/x-www-form-urlencoded"
PROOF = ("client_assertion_type", "client_assertion", "client_id")
TOKEN_FIELDS = (
    *PROOF,
    "grant_type",
    "resource",
    "scope",
    "purpose",
    "on_behalf_of",
    "networks",
    "subject_token",
    "subject_token_type",
)
CERTIFICATE_FIELDS = (*PROOF, "csr", "ssh_public_key")
STATE_FIELDS = (*PROOF, "token", "token_type_hint")
LONGEST_FORM = 16_384  # bytes
REFUSALS_A_MINUTE = 60  # per address; beyond it the answer costs us nothing
QUESTIONS_A_MINUTE = 600  # likewise, about the state of tokens


@csrf_exempt  # no cookie is read here: the proof is the assertion
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """A token, or an error in RFC 6749's form. Responses are never stored (section 5.1)."""
    return _answered(request, _token)


@csrf_exempt  # likewise
@require_POST
def certificate(request: HttpRequest) -> HttpResponse:
    """An X.509-SVID for a certificate request (PKCS #10), or a certificate for OpenSSH, proved for as for a token; errors have the same form."""
    return _answered(request, _certificate)


@csrf_exempt  # likewise
@require_POST
def introspect(request: HttpRequest) -> HttpResponse:
    """What the caller's own token says while it counts (RFC 7662); any other text is not active."""
    return _asked(request, lambda form: token_state.introspect(_state(form)))


@csrf_exempt  # likewise
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """End the caller's own token (RFC 7009); the answer is empty, for a text that was never a token too."""
    return _asked(request, _revoke)


def _revoke(request: HttpRequest) -> dict[str, object]:
    token_state.revoke(_state(request))
    return {}


def _state(request: HttpRequest) -> StateRequest:
    return StateRequest(**_read(request, STATE_FIELDS), **_shown(request))


def _token(request: HttpRequest) -> dict[str, object]:
    proof = dpop_proof(request)
    bound_to = proof.thumbprint if proof is not None else ""
    issued = tokens.issue(TokenRequest(**_read(request, TOKEN_FIELDS), **_shown(request), dpop=bound_to))
    kind = "DPoP" if bound_to else "Bearer"
    said: dict[str, object] = {"access_token": issued.access_token, "token_type": kind, "expires_in": issued.expires_in}
    if issued.credential.delegation_id is not None:
        said["issued_token_type"] = exchange.ACCESS_TOKEN  # RFC 8693 section 2.2.1
    return said


def _certificate(request: HttpRequest) -> dict[str, object]:
    issued = certificates.certify(CertificateRequest(**_read(request, CERTIFICATE_FIELDS), **_shown(request)))
    return {
        "certificate": issued.chain,
        "bundle": issued.bundle,
        "spiffe_id": issued.credential.agent.spiffe_id,
        "expires_at": issued.credential.expires_at.isoformat(),
    }


def _asked(request: HttpRequest, work: Callable[[HttpRequest], dict[str, object]]) -> HttpResponse:
    """As `_answered`, for what may be asked so often and no more."""
    counter = f"token-questions:{_source(request)}"
    cache.add(counter, 0, timeout=60)
    if cache.incr(counter) > QUESTIONS_A_MINUTE:
        return _answer({"error": "slow_down", "error_description": "Too many questions. Wait a minute."}, status=429)
    return _answered(request, work)


def _answered(request: HttpRequest, work: Callable[[HttpRequest], dict[str, object]]) -> HttpResponse:
    counter = f"token-refusals:{_source(request)}"
    if cache.get(counter, 0) >= REFUSALS_A_MINUTE:
        return _answer({"error": "slow_down", "error_description": "Too many refusals. Wait a minute."}, status=429)
    try:
        return _answer(work(request), headers=_nonce(request))
    except OAuthError as error:
        if error.code != "use_dpop_nonce":  # every client's first proof is answered so
            cache.add(counter, 0, timeout=60)
            cache.incr(counter)
        return _answer(
            {"error": error.code, "error_description": str(error)}, status=error.status, headers=_nonce(request)
        )


class Shown(TypedDict):
    """What a connection says of its client."""

    source: str | None
    certificate: bytes | None


def _shown(request: HttpRequest) -> Shown:
    return {"source": _source(request), "certificate": certificate_of(request)}


def _source(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR")


def _read(request: HttpRequest, fields: Sequence[str]) -> dict[str, str]:
    """The form. Raises OAuthError for another content type or a field that is there twice."""
    if len(request.body) > LONGEST_FORM:
        raise invalid_request(f"The request has more than {LONGEST_FORM} bytes.")
    if request.content_type != FORM:
        raise invalid_request(f"The request is a form ({FORM}).")
    values: dict[str, str] = {}
    for field in fields:
        given = request.POST.getlist(field)
        if len(given) > 1:
            raise invalid_target("A token is for one resource.") if field == "resource" else _repeated(field)
        values[field] = given[0] if given else ""
        if "\0" in values[field]:
            raise invalid_request(f"{field} holds a NUL character.")
    return values


def _repeated(field: str) -> OAuthError:
    return invalid_request(f"{field} is given twice.")


def _nonce(request: HttpRequest) -> dict[str, str]:
    """For a client that proves possession: the nonce of its next proof."""
    return nonce_header() if "HTTP_DPOP" in request.META else {}


def _answer(body: dict[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None) -> JsonResponse:
    kept = {"Cache-Control": "no-store", "Pragma": "no-cache", **(headers or {})}
    return JsonResponse(body, status=status, headers=kept)
