"""`POST /oauth/token` and `POST /v1/certificate`: an agent's ways to a credential (RFC 6749 section 4.4, RFC 7523, RFC 8707)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents import certificates, tokens
from agents.certificates import CertificateRequest
from agents.oauth_errors import OAuthError, invalid_request, invalid_target
from agents.tokens import TokenRequest

FORM = "application/x-www-form-urlencoded"
PROOF = ("client_assertion_type", "client_assertion", "client_id")
TOKEN_FIELDS = (*PROOF, "grant_type", "resource", "scope", "purpose", "on_behalf_of")
CERTIFICATE_FIELDS = (*PROOF, "csr")
REFUSALS_A_MINUTE = 60  # per address; beyond it the answer costs us nothing


@csrf_exempt  # no cookie is read here: the proof is the assertion
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """A token, or an error in RFC 6749's form. Responses are never stored (section 5.1)."""
    return _answered(request, _token)


@csrf_exempt  # likewise
@require_POST
def certificate(request: HttpRequest) -> HttpResponse:
    """An X.509-SVID for a certificate request (PKCS #10), proved for as for a token; errors have the same form."""
    return _answered(request, _certificate)


def _token(request: HttpRequest) -> dict[str, object]:
    issued = tokens.issue(TokenRequest(**_read(request, TOKEN_FIELDS), source=_source(request)))
    return {"access_token": issued.access_token, "token_type": "Bearer", "expires_in": issued.expires_in}


def _certificate(request: HttpRequest) -> dict[str, object]:
    issued = certificates.certify(CertificateRequest(**_read(request, CERTIFICATE_FIELDS), source=_source(request)))
    return {
        "certificate": issued.chain,
        "bundle": issued.bundle,
        "spiffe_id": issued.credential.agent.spiffe_id,
        "expires_at": issued.credential.expires_at.isoformat(),
    }


def _answered(request: HttpRequest, work: Callable[[HttpRequest], dict[str, object]]) -> HttpResponse:
    counter = f"token-refusals:{_source(request)}"
    if cache.get(counter, 0) >= REFUSALS_A_MINUTE:
        return _answer({"error": "slow_down", "error_description": "Too many refusals. Wait a minute."}, status=429)
    try:
        return _answer(work(request))
    except OAuthError as error:
        cache.add(counter, 0, timeout=60)
        cache.incr(counter)
        return _answer({"error": error.code, "error_description": error.message}, status=error.status)


def _source(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR")


def _read(request: HttpRequest, fields: Sequence[str]) -> dict[str, str]:
    """The form. Raises OAuthError for another content type or a field that is there twice."""
    if request.content_type != FORM:
        raise invalid_request(f"The request is a form ({FORM}).")
    values: dict[str, str] = {}
    for field in fields:
        given = request.POST.getlist(field)
        if len(given) > 1:
            raise invalid_target("A token is for one resource.") if field == "resource" else _repeated(field)
        values[field] = given[0] if given else ""
    return values


def _repeated(field: str) -> OAuthError:
    return invalid_request(f"{field} is given twice.")


def _answer(body: dict[str, object], *, status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
