"""Policies by page: the versions, one of them, a new one, and the steps that bring one into force."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.requests import person_of
from core.errors import NarrowgateError
from policies import actions
from policies.check import check
from policies.forms import DraftForm, RollbackForm
from policies.models import PolicyVersion
from policies.presentation import WRITERS, changes, next_step, placed
from policies.queries import READERS, active, registry, visible_to

_A_PAGE = 50
_DONE = {
    "propose": (actions.propose, "is proposed. Somebody else approves it."),
    "approve": (actions.approve, "is approved. It is not in force until it is activated."),
    "activate": (actions.activate, "is in force."),
}


@require_GET
@login_required
def versions(request: HttpRequest) -> HttpResponse:
    """Every version, newest first."""
    user = person_of(request, *READERS)
    page = Paginator(visible_to(user).defer("text").order_by("-number"), _A_PAGE).get_page(request.GET.get("page"))
    return render(request, "policies/versions.html", {"page": page, "writes": user.has_role(*WRITERS)})


@require_GET
@login_required
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version: text, what it changes, what is wrong with it now, the next step."""
    user = person_of(request)
    return _shown(request, _found(user, number), user)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Write a version: check it as often as one likes, then propose it."""
    user = person_of(request, *WRITERS)
    now = active()
    form = DraftForm(request.POST or None, initial={"text": now.text if now else ""})
    text = request.POST.get("text", "").replace("\r\n", "\n") if request.method == "POST" else ""
    problems = check(text, registry()) if text else []
    checked = request.POST.get("do") == "check"
    if request.method == "POST" and form.is_valid() and not problems and not checked:
        made = form.act(lambda: _write(user, form.cleaned_data["text"], form.cleaned_data["note"], first=now is None))
        if made:
            messages.success(request, _written(made))
            return redirect("policies:version", made.number)
    context = {"form": form, "problems": list(placed(problems, text)), "checked": checked, "active": now}
    return render(request, "policies/new.html", context, status=422 if problems or form.errors else 200)


def _write(user: User, text: str, note: str, *, first: bool) -> PolicyVersion:
    """The very first version comes into force at once: there is nobody yet whom it could surprise."""
    if first and not PolicyVersion.objects.exists():
        return actions.install(text, actor=user, note=note)
    return actions.propose(actions.draft(text, actor=user, note=note).id, actor=user)


def _written(made: PolicyVersion) -> str:
    if made.status == PolicyVersion.Status.ACTIVE:
        return f"Version {made.number} is in force."
    return f"Version {made.number} is proposed. Somebody else approves it."


@require_POST
@login_required
def move(request: HttpRequest, number: int, to: str) -> HttpResponse:
    """Propose, approve or activate a version; a refusal is said on its page."""
    user = person_of(request)
    found = _found(user, number)
    action, done = _DONE[to]
    return _moved(request, found, user, lambda: action(found.id, actor=user), done)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rollback(request: HttpRequest, number: int) -> HttpResponse:
    """Put an earlier version back in force, with a reason."""
    user = person_of(request, *WRITERS)
    found = _found(user, number)
    form, now = RollbackForm(request.POST or None), active()
    if request.method == "POST" and form.is_valid():
        made = form.act(lambda: actions.rollback(found.number, actor=user, reason=form.cleaned_data["reason"]))
        if made:
            messages.success(request, f"Version {made.number} is in force again.")
            return redirect("policies:version", made.number)
    context = {"form": form, "version": found, "active": now, "changes": changes(now.text if now else "", found.text)}
    return render(request, "policies/rollback.html", context, status=422 if form.errors else 200)


def _moved(
    request: HttpRequest, found: PolicyVersion, user: User, action: Callable[[], PolicyVersion], done: str
) -> HttpResponse:
    try:
        action()
    except NarrowgateError as error:
        return _shown(request, _found(user, found.number), user, refusal=error, status=error.status)
    messages.success(request, f"Version {found.number} {done}")
    return redirect("policies:version", found.number)


def _found(user: User, number: int) -> PolicyVersion:
    found = visible_to(user).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise Http404
    return found


def _shown(
    request: HttpRequest, found: PolicyVersion, user: User, *, refusal: NarrowgateError | None = None, status: int = 200
) -> HttpResponse:
    now = active()
    older = visible_to(user).filter(number__lt=found.number).order_by("-number").first()
    against = older if now is None or now.id == found.id else now
    context = {
        "version": found,
        "step": next_step(found, user),
        "against": against,
        "changes": changes(against.text, found.text) if against else [],
        "lines": found.text.splitlines(),
        "problems": list(placed(check(found.text, registry()), found.text)),
        "refusal": refusal,
    }
    return render(request, "policies/version.html", context, status=status)
