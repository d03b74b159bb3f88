"""Refuses bodies that are larger than what is asked could need, before anything reads them.

A text of all policies may have megabytes; nothing else that people send has more than one.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.problems import problem_response

USUAL: Final = 1024 * 1024
LARGEST: Final = 48 * 1024 * 1024
"""Of a text of policies with its test cases, as forms and JSON write them."""
OF_POLICIES: Final = ("/policies/new/", "/api/v1/policies")


def bounded(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django's middleware."""

    def answer(request: HttpRequest) -> HttpResponse:
        most = LARGEST if request.path.startswith(OF_POLICIES) else USUAL
        said = request.META.get("CONTENT_LENGTH") or "0"
        if request.META.get("HTTP_TRANSFER_ENCODING") or not said.isdecimal():
            return _refused(
                request, HTTPStatus.LENGTH_REQUIRED, "length_required", "The request does not say how long it is."
            )
        if int(said[:20]) > most:
            why = f"The body is larger than the console takes: {most // USUAL} MiB here."
            return _refused(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", why)
        return get_response(request)

    return answer


def _refused(request: HttpRequest, status: HTTPStatus, code: str, why: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return problem_response(status, code, why, "Send less, or in several parts.")
    return render(request, "400.html", {"why": why}, status=status)
