"""The pages of starter packs: what there is, what one does, and the way to a version of one's own. Nothing comes into force here."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.requests import person_of
from policies.check import check
from policies.difference import differences
from policies.parse import policies
from policies.presentation import WRITERS, placed
from policies.queries import READERS, registry
from policies.starters import packs


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All packs."""
    person_of(request, *READERS)
    return render(request, "policies/packs.html", {"packs": packs().values()})


@require_GET
@login_required
def pack(request: HttpRequest, name: str) -> HttpResponse:
    """One pack: what it allows, holds and denies, its text, its test cases, and what of it does not fit here yet."""
    user = person_of(request, *READERS)
    found = packs().get(name)
    if found is None:
        raise Http404
    context = {
        "pack": found,
        "differences": differences({}, policies(found.text)),
        "lines": found.text.splitlines(),
        "tested": found.tested(),
        "problems": list(placed(check(found.text, registry()), found.text)),
        "writes": user.has_role(*WRITERS),
    }
    return render(request, "policies/pack.html", context)
