"""Refuses addresses with a NUL in them: PostgreSQL has no text that holds one, so nothing here is called that.

Forms and JSON bodies refuse it field by field; this is for what stands in the address itself.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from console.views import not_found
from core.problems import problem_response

WORDS = "What is asked holds a NUL character, and nothing here is called that."


def no_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django's middleware."""

    def answer(request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            return not_found(request, Http404())
        if "%00" not in request.META.get("QUERY_STRING", ""):
            return get_response(request)
        if request.path.startswith("/api/"):
            return problem_response(HTTPStatus.BAD_REQUEST, "invalid", WORDS, "Leave it out.")
        return render(request, "400.html", {"why": WORDS}, status=HTTPStatus.BAD_REQUEST)

    return answer
