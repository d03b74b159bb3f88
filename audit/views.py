"""The reading room's pages. Each page read is one entry; what a person may not see is not found."""

from __future__ import annotations

import json
from base64 import b64encode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.requests import person_of
from activity.actions import MAY_CUT, OPEN, cut_session
from activity.asked import filters, read
from activity.erasing_actions import MAY_ASK
from activity.listing import Listed
from activity.models import Action
from activity.queries import erasure_of
from activity.visibility import sessions_visible_to
from agents.form_views import answer, both
from agents.forms import ReasonForm
from audit import explorer
from audit.actions import ask_for_entries
from audit.explorer import EntriesForm, entries_page, missing_before
from audit.proof_path import levels_of
from audit.reading import note_export, note_read, note_taken
from audit.replay import replay_of
from audit.reports.entries import asked_of
from audit.roles import READERS, REPORT_READERS
from audit.taking import are_many, form_of, take
from core.errors import Invalid, NotFound, Refused
from core.streaming import streamed
from ledger import export, queries
from ledger.models import Entry, Key
from ledger.personal import reveal
from ledger.proving import Proof, Prover
from ledger.publishing.standing import standing

UNUSABLE = 422

KEYS = (
    {"letters": ["Space"], "does": "play, pause"},
    {"letters": ["←", "→"], "does": "previous, next frame"},
    {"letters": ["H"], "does": "next held"},
    {"letters": ["X"], "does": "next denied"},
    {"letters": ["M"], "does": "next masked"},
    {"letters": ["E"], "does": "next failed"},
    {"letters": ["I"], "does": "skip idle"},
)


@require_GET
@login_required
def session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """One session, to play."""
    user = person_of(request)
    found = get_object_or_404(sessions_visible_to(user), id=session_id)
    note_read(user, "replay", str(found.id), {}, session=str(found.id))
    context = {
        "it": replay_of(found, _number_asked(request, "at")),
        "may_cut": user.has_role(*MAY_CUT) and not found.ended_at and not found.cut_at,
        "keys": KEYS,
        "erasure": erasure_of(found),
        "may_erase": user.has_role(*MAY_ASK) and found.ended_at and not found.erasure_id,
        "reads_ledger": user.has_role(*READERS),
    }
    return render(request, "audit/replay.html", context)


@both
@login_required
def cut(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End a live session, after saying what that does."""
    user = person_of(request, *MAY_CUT)
    found = get_object_or_404(sessions_visible_to(user), id=session_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        done = form.act(lambda: cut_session(found.id, actor=user, reason=reason))
        if done:
            messages.success(request, "It is cut: the gate hangs up within a second.")
            return redirect("record:session", found.id)
    running = Action.objects.filter(session_id=found.id, status__in=OPEN).order_by("-number")[:5]
    waiting = Action.objects.filter(session_id=found.id, status=Action.Status.HELD).count()
    return answer(request, "audit/cut.html", form, session=found, running=running, waiting=waiting)


@require_GET
@login_required
def ledger(request: HttpRequest) -> HttpResponse:
    """The ledger's entries, newest first, each with its proof state."""
    user = _reader(request)
    form = EntriesForm(request.GET)
    page = entries_page(form.cleaned_data, request.GET.get("before", "")) if form.is_valid() else Listed([])
    asked, prover = filters(form), Prover()
    note_read(user, "ledger", "", asked)
    context = {
        "rows": _rows(page.rows, prover, missing={} if asked else missing_before(page.rows)),
        "page": page,
        "form": form,
        "asked": asked,
        "follows": not asked and not request.GET.get("before"),
        "next": page.rows[0].index + 1 if page.rows else 0,
        "state": queries.state(),
        "standing": standing(),
        "prover": prover,
    }
    return render(request, "audit/ledger.html", context, status=200 if form.is_valid() else UNUSABLE)


@require_GET
@login_required
def tail(request: HttpRequest, after: int) -> HttpResponse:
    """The rows of entries that came since, for a page of the ledger that follows along: its opening was the read."""
    _reader(request)
    rows = explorer.tail(after)
    shown = _rows(rows, Prover(), missing=missing_before(rows))
    context = {"rows": shown, "next": rows[0].index + 1 if rows else after}
    return render(request, "audit/parts/tail.html", context)


def _rows(entries: list[Entry], prover: Prover, *, missing: dict[int, str]) -> list[tuple[Entry, Proof, str]]:
    """Entries with their standing, and which numbers of their node are missing before them."""
    proofs = prover.proofs(entries)
    return [(entry, proof, missing.get(entry.index, "")) for entry, proof in zip(entries, proofs, strict=True)]


@require_GET
@login_required
def entry(request: HttpRequest, index: int) -> HttpResponse:
    """One entry: what it says, and its way to the signed root."""
    user = _reader(request)
    (found,) = reveal([get_object_or_404(Entry, index=index)])
    prover = Prover()
    proof = prover.proof(found)
    levels, root = levels_of(index, proof.size, bytes(found.leaf), proof.hashes) if proof.hashes else ([], "")
    note_read(user, "entry", str(index), {"index": index})
    says = json.dumps(json.loads(bytes(found.leaf)), indent=2, ensure_ascii=False)
    newest = prover.checkpoint
    context = {
        "entry": found,
        "proof": proof,
        "levels": levels,
        "root": root,
        "says": says,
        "prover": prover,
        "leaf": b64encode(bytes(found.leaf)).decode(),
        "note": newest.note if newest else "",
        "keys": [key.verifier for key in Key.objects.order_by("-first_size")],
        "signed_root": bytes(newest.root).hex() if newest else "",
        "final": standing().final,
    }
    return render(request, "audit/entry.html", context)


@require_POST
@login_required
def evidence(request: HttpRequest) -> HttpResponseBase:
    """Take evidence away: a ZIP that verifies offline. Taking it is an entry."""
    user = _reader(request)
    try:
        package = export.plan(_number(request, "first") or 0, _number(request, "last"))
    except NotFound as error:
        messages.error(request, str(error))
        return redirect("record:ledger")
    note_export(user, package.first, package.last, package.size)
    name = f"narrowgate-evidence-{package.first}-{package.last - 1}.zip"
    return streamed(export.stream(package), name=name, kind="application/zip")


@require_POST
@login_required
def take_entries(request: HttpRequest) -> HttpResponseBase:
    """The entries that were asked for, as a file: at once, or many of them made in the background. Taking it is an entry."""
    user, form = _reader(request), EntriesForm(request.GET)
    wanted = request.POST.get("format", "")
    try:
        made, asked = form_of(wanted), read(form)
        if user.has_role(*REPORT_READERS) and are_many(asked):
            filtered, period = asked_of(form)
            report = ask_for_entries(asked=filtered, period=period, formats=[made.format], actor=user)
            messages.success(request, "These are many: they are made in the background, and their file is found here.")
            return redirect("record:report", report.id)
        answer = take(asked, wanted)
    except (Invalid, NotFound, Refused) as error:
        messages.error(request, f"Nothing was taken. {error}")
        return redirect("record:ledger")
    note_taken(user, "ledger", {**filters(form), "format": wanted})
    return answer


def _reader(request: HttpRequest) -> User:
    """Somebody who may read the ledger itself. Raises Http404 for others: for them it does not exist."""
    user = person_of(request)
    if not user.has_role(*READERS):
        raise Http404
    return user


def _number_asked(request: HttpRequest, name: str) -> int:
    """The number of an action in the address; 1 where there is none."""
    text = request.GET.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else 1


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.POST.get(name, "").strip()
    return int(text) if text.isdecimal() and len(text) < 19 else None
