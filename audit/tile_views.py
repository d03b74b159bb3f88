"""The log at /ledger/, as C2SP tlog-tiles has it: files that ask no database. Its entries are for the ledger's readers."""

from __future__ import annotations

import re
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotFound
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.authentication import ApiTokenAuthentication
from accounts.models import User
from accounts.requests import person_of
from accounts.scopes import EXPORT
from audit.reading import note_read
from audit.roles import READERS
from ledger.publishing.tile_files import ENTRIES, tile_folder

LAST_LEVEL: Final = 63
PLACE: Final = re.compile(r"(?:x\d{3}/)*\d{3}(?:\.p/(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-5]))?", re.ASCII)
FOR_EVER: Final = "max-age=31536000, immutable"
BYTES: Final = "application/octet-stream"


@require_safe
def checkpoint(_request: HttpRequest) -> HttpResponse:
    """The newest checkpoint whose tiles are all there, with its cosignatures."""
    return _file("checkpoint", "text/plain; charset=utf-8", "public, max-age=1")


@require_safe
def tile(_request: HttpRequest, level: int, place: str) -> HttpResponse:
    """A tile of hashes. They say how many entries there are, and nothing of what is in them."""
    if level > LAST_LEVEL or not PLACE.fullmatch(place):
        return _missing()
    return _file(f"tile/{level}/{place}", BYTES, f"public, {FOR_EVER}")


@require_safe
def entries(request: HttpRequest, place: str) -> HttpResponseBase:
    """Up to 256 entries, for those who read the ledger: signed in, or by a token with the scope to take it away."""
    if request.headers.get("Authorization"):
        return _entries_by_token(request, place)
    return _entries_signed_in(request, place=place)


@login_required
def _entries_signed_in(request: HttpRequest, place: str) -> HttpResponse:
    return _entries(person_of(request, *READERS), place)


def _entries_by_token(request: HttpRequest, place: str) -> HttpResponse:
    try:
        found = ApiTokenAuthentication().authenticate(Request(request))
    except AuthenticationFailed as error:
        return HttpResponse(f"{error}\n", status=401, content_type="text/plain", headers={"WWW-Authenticate": "Token"})
    if found is None or EXPORT not in found[1].scopes or not found[0].has_role(*READERS):
        raise Http404
    return _entries(found[0], place)


def _entries(user: User, place: str) -> HttpResponse:
    if not PLACE.fullmatch(place):
        return _missing()
    answer = _file(f"tile/{ENTRIES}/{place}", BYTES, f"private, {FOR_EVER}")
    if answer.status_code == 200:
        note_read(user, "entry bundle", place, {})
    return answer


def _file(name: str, kind: str, cached: str) -> HttpResponse:
    try:
        content = (tile_folder() / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _missing()
    return HttpResponse(content, content_type=kind, headers={"Cache-Control": cached})


def _missing() -> HttpResponse:
    """In words of its own: the console's page would ask who reads it."""
    return HttpResponseNotFound("There is no such part of the ledger.\n", content_type="text/plain; charset=utf-8")
