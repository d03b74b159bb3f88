"""`POST /oauth/token`: an agent's way to a credential (RFC 6749 section 4.4, RFC 7523, RFC 8707)."""

from __future__ import annotations

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents import tokens
from agents.oauth_errors import OAuthError, invalid_request, invalid_target
from agents.tokens import TokenRequest

FORM = "application/x-www-form-urlencoded"
FIELDS = (
    "grant_type",
    "client_assertion_type",
    "client_assertion",
    "resource",
    "scope",
    "client_id",
    "purpose",
    "on_behalf_of",
)
REFUSALS_A_MINUTE = 60  # per address; beyond it the answer costs us nothing


@csrf_exempt  # no cookie is read here: the proof is the assertion
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """A token, or an error in RFC 6749's form. Responses are never stored (section 5.1)."""
    source = request.META.get("REMOTE_ADDR")
    counter = f"token-refusals:{source}"
    if cache.get(counter, 0) >= REFUSALS_A_MINUTE:
        return _answer({"error": "slow_down", "error_description": "Too many refusals. Wait a minute."}, status=429)
    try:
        issued = tokens.issue(_read(request, source))
    except OAuthError as error:
        cache.add(counter, 0, timeout=60)
        cache.incr(counter)
        return _answer({"error": error.code, "error_description": error.message}, status=error.status)
    return _answer({"access_token": issued.access_token, "token_type": "Bearer", "expires_in": issued.expires_in})


def _read(request: HttpRequest, source: str | None) -> TokenRequest:
    """The form. Raises OAuthError for another content type or a field that is there twice."""
    if request.content_type != FORM:
        raise invalid_request(f"The request is a form ({FORM}).")
    values: dict[str, str] = {}
    for field in FIELDS:
        given = request.POST.getlist(field)
        if len(given) > 1:
            raise invalid_target("A token is for one resource.") if field == "resource" else _repeated(field)
        values[field] = given[0] if given else ""
    return TokenRequest(**values, source=source)


def _repeated(field: str) -> OAuthError:
    return invalid_request(f"{field} is given twice.")


def _answer(body: dict[str, object], *, status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
