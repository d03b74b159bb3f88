"""Errors of the REST API as problem details (RFC 9457, `application/problem+json`)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, JsonResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import Invalid, NarrowgateError

CONTENT_TYPE = "application/problem+json"

_DJANGO: Mapping[type[Exception], tuple[int, str, str]] = {
    Http404: (HTTPStatus.NOT_FOUND, "not_found", "There is no such thing, or none that you may see."),
    PermissionDenied: (HTTPStatus.FORBIDDEN, "refused", "You may not do this."),
    RequestDataTooBig: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is larger than the console takes."),
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an error into its problem; None for what is a fault of ours, which Django logs and answers with 500."""
    problem = _problem(error)
    if problem is None:
        return None
    set_rollback()
    response = Response(problem, status=problem["status"], content_type=CONTENT_TYPE)
    for header, value in _headers(error).items():
        response[header] = value
    return response


def problem_response(status: int, code: str, detail: str, remedy: str = "") -> JsonResponse:
    """A problem of a request that did not get as far as a view of the API."""
    return JsonResponse(_body(status, code, detail, remedy), status=status, content_type=CONTENT_TYPE)


def api_not_found() -> JsonResponse:
    """The problem of an address that the API does not have."""
    return problem_response(*_DJANGO[Http404])


def _problem(error: Exception) -> dict[str, Any] | None:
    if isinstance(error, NarrowgateError):
        field = {"field": error.field} if isinstance(error, Invalid) else {}
        return _body(error.status, error.code, error.message, error.remedy) | field
    if isinstance(error, ValidationError):
        return _body(error.status_code, "invalid", "Some fields cannot be used.") | {"errors": error.detail}
    if isinstance(error, APIException):
        return _body(error.status_code, str(error.default_code), str(error.detail))
    for kind, (status, code, detail) in _DJANGO.items():
        if isinstance(error, kind):
            return _body(status, code, detail)
    return None


def _body(status: int, code: str, detail: str, remedy: str = "") -> dict[str, Any]:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    return {**body, "remedy": remedy} if remedy else body


def _headers(error: Exception) -> dict[str, str]:
    headers: dict[str, str] = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    return headers
