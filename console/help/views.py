"""The help: for everybody who is signed in, whatever their role."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.requests import person_of
from console.help.shelf import shelf

LONGEST_SEARCH = 100


@require_GET
@login_required
def contents(request: HttpRequest) -> HttpResponse:
    """All documents, those for this person's roles first; or what a search found."""
    user = person_of(request)
    text = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    yours = [volume for volume in shelf().volumes if volume.slug in user.roles]
    context = {"shelf": shelf(), "q": text, "found": shelf().find(text), "yours": yours}
    return render(request, "help/contents.html", context)


@require_GET
@login_required
def document(request: HttpRequest, volume: str) -> HttpResponse:
    """One document."""
    found = shelf().volume(volume)
    if found is None:
        raise Http404
    return render(request, "help/document.html", {"shelf": shelf(), "volume": found})
