"""What a client finds out by itself: metadata (RFC 8414, RFC 9728) and the keys that sign tokens (RFC 7517)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from agents import metadata, signing
from gateway import openapi

KEPT = 300  # seconds: a client that meets a key it does not know asks again at once


@require_safe
@cache_control(public=True, max_age=KEPT)
def authorization_server(_request: HttpRequest) -> HttpResponse:
    """Where tokens come from, and how a client proves itself there."""
    return JsonResponse(metadata.authorization_server(settings.GATEWAY_URL))


@require_safe
@cache_control(public=True, max_age=KEPT)
def protected_resource(_request: HttpRequest, name: str = "") -> HttpResponse:
    """What a token opens, and who issues it: alike for every name, so that it tells nobody which resources there are."""
    return JsonResponse(metadata.protected_resource(settings.GATEWAY_URL, name))


@require_safe
@cache_control(public=True, max_age=KEPT)
def tool_server(_request: HttpRequest, name: str) -> HttpResponse:
    """The same of a tool server, by the address at which it is spoken to."""
    return JsonResponse(metadata.protected_resource(settings.GATEWAY_URL, name, under=metadata.TOOL_SERVERS))


@require_safe
@cache_control(public=True, max_age=KEPT)
def key_set(_request: HttpRequest) -> HttpResponse:
    """The public keys that a token may be signed with now, former ones as long as what they signed lives."""
    return JsonResponse(signing.key_set(), content_type="application/jwk-set+json")


@require_safe
@cache_control(public=True, max_age=KEPT)
def description(_request: HttpRequest) -> HttpResponse:
    """These addresses, as OpenAPI describes them."""
    return JsonResponse(openapi.description(settings.GATEWAY_URL))
