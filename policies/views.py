"""Policies by page: the versions, one of them, a new one, and the steps that bring one into force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.requests import person_of
from core.errors import Invalid, NarrowgateError
from policies import actions, intake_actions, sealing, trial_actions
from policies.check import check
from policies.forms import DraftForm, RollbackForm, RollbackReviewForm
from policies.intake import is_large
from policies.linting import findings
from policies.models import PolicyTrial, PolicyVersion
from policies.presentation import WRITERS, changes, differing, next_step, placed, seal, shown
from policies.queries import READERS, TRIERS, active, intakes_visible_to, registry, trials_visible_to, visible_to
from policies.rollback_views import shown_to
from policies.starters import packs
from policies.testing import tested

_A_PAGE = 50
_TRIALS = 5
_DONE = {
    "propose": (actions.propose, "is proposed. Somebody else approves it."),
    "approve": (actions.approve, "is approved. It is not in force until it is activated."),
    "activate": (actions.activate, "is in force."),
}


@require_GET
@login_required
def versions(request: HttpRequest) -> HttpResponse:
    """Every version, newest first."""
    return show_versions(request, person_of(request, *READERS))


def show_versions(
    request: HttpRequest,
    user: User,
    *,
    given: tuple[UUID, RollbackReviewForm] | None = None,
    refusal: NarrowgateError | None = None,
    status: int = 200,
) -> HttpResponse:
    """The list, with the roll-backs that wait for somebody to look at them; `given` is a review, `refusal` a fetch that was refused."""
    page = Paginator(visible_to(user).defer("text").order_by("-number"), _A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "writes": user.has_role(*WRITERS), "rollbacks": shown_to(user, given)}
    context |= {"repository": settings.POLICY_REPOSITORY, "refusal": refusal, "branch": request.POST.get("branch", "")}
    return render(request, "policies/versions.html", context, status=status)


@require_POST
@login_required
def fetch(request: HttpRequest) -> HttpResponse:
    """Fetch the deployment's repository into a draft; what is wrong is said on the list."""
    user = person_of(request, *WRITERS)
    branch = request.POST.get("branch", "").strip()
    try:
        made = actions.fetch(actor=user, branch=branch)
    except NarrowgateError as error:
        return show_versions(request, user, refusal=error, status=error.status)
    messages.success(request, f"Version {made.number} is a draft of yours, of commit {made.commit[:12]}. Propose it.")
    return redirect("policies:version", made.number)


@require_GET
@login_required
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version: text, what it changes, what is wrong with it now, the next step."""
    user = person_of(request)
    return show_version(request, found_version(user, number), user)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Write a version: check it as often as one likes, then propose it."""
    user = person_of(request, *WRITERS)
    now, start = active(), request.GET.get("from", "")
    sealing.lend(now)
    base = found_version(user, int(start)) if start.isdecimal() and len(start) < 10 else now
    form = DraftForm(request.POST or None, initial=_kept(user, request) or _begin(base, request.GET.get("pack", "")))
    if (
        request.POST.get("do") == "propose"
        and now is not None
        and form.is_valid()
        and is_large(form.cleaned_data["text"])
    ):
        taken = form.act(lambda: intake_actions.ask(**form.cleaned_data, propose=True, actor=user))
        if taken:
            return redirect("policies:intake", taken.id)
    text = request.POST.get("text", "").replace("\r\n", "\n") if request.method == "POST" else ""
    problems = check(text, registry()) if text else []
    do = request.POST.get("do")
    checked = do == "check"
    if request.method == "POST" and form.is_valid() and not problems and do == "try":
        trial = form.act(lambda: _tried(user, form.cleaned_data))
        if trial:
            return redirect("policies:trial", trial.version.number, trial.id)
    elif request.method == "POST" and form.is_valid() and not problems and not checked:
        made = form.act(lambda: _write(user, form.cleaned_data, first=now is None))
        if made:
            messages.success(request, _written(made))
            return redirect("policies:version", made.number)
    context = {
        "form": form,
        "problems": list(placed(problems, text)),
        "checked": checked,
        "active": now,
        "findings": findings(form.cleaned_data["text"]) if checked and form.is_valid() and not problems else [],
        "tested": tested(form.cleaned_data["text"], form.cleaned_data["tests"])
        if checked and form.is_valid() and not problems
        else None,
    }
    return render(request, "policies/new.html", context, status=422 if problems or form.errors else 200)


@require_POST
@login_required
def check_text(request: HttpRequest) -> HttpResponse:
    """What is wrong with a text, by line, for the editor while somebody types."""
    person_of(request, *WRITERS)
    sealing.lend(active())
    problems = check(request.POST.get("text", "").replace("\r\n", "\n"), registry())
    return JsonResponse({"problems": [asdict(problem) for problem in problems]})


def _kept(user: User, request: HttpRequest) -> dict[str, str] | None:
    """What somebody wrote that was read beside their request and refused."""
    asked = request.GET.get("intake", "")
    with suppress(ValueError):
        found = intakes_visible_to(user).filter(id=UUID(asked)).first() if asked else None
        return {"text": found.text, "tests": found.tests, "note": found.note} if found else None
    return None


def _begin(base: PolicyVersion | None, pack: str) -> dict[str, str]:
    """What the editor begins with: a version, and a starter pack after it."""
    text, tests = (base.text, base.tests) if base else ("", "")
    found = packs().get(pack)
    if found is None:
        return {"text": text, "tests": tests} if base else {}
    with suppress(Invalid):
        text, tests = found.added_to(text, tests)
    return {"text": text, "tests": tests, "note": f"Adds the starter pack {found.title}."}


def _write(user: User, given: Mapping[str, str], *, first: bool) -> PolicyVersion:
    """The very first version comes into force at once: there is nobody yet whom it could surprise."""
    if first and not PolicyVersion.objects.exists():
        return actions.install(**given, actor=user)
    with transaction.atomic():  # a draft that cannot be proposed is still in the form
        return actions.propose(actions.draft(**given, actor=user).id, actor=user)


@require_GET
@login_required
def worth_a_look(request: HttpRequest, number: int) -> HttpResponse:
    """What lint finds in a version, fetched when its page is there: it looks at every agent."""
    version = found_version(person_of(request), number)
    sealing.lend(version)
    try:
        found = findings(version.text)
    except Invalid:  # its page says what is wrong
        found = []
    return render(request, "policies/parts/findings.html", {"findings": found, "none": not found})


def _tried(user: User, given: Mapping[str, str]) -> PolicyTrial:
    """Keep a draft and have it tried: it is the author's until it is proposed."""
    with transaction.atomic():  # a draft whose trial is refused is still in the form
        made = actions.draft(**given, actor=user)
        return trial_actions.ask(made.number, period="7d", actor=user)


def _written(made: PolicyVersion) -> str:
    if made.status == PolicyVersion.Status.ACTIVE:
        return f"Version {made.number} is in force."
    return f"Version {made.number} is proposed. Somebody else approves it."


@require_POST
@login_required
def move(request: HttpRequest, number: int, to: str) -> HttpResponse:
    """Propose, approve or activate a version; a refusal is said on its page."""
    user = person_of(request)
    found = found_version(user, number)
    action, done = _DONE[to]
    return _moved(request, found, user, lambda: action(found.id, actor=user), done)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rollback(request: HttpRequest, number: int) -> HttpResponse:
    """Put an earlier version back in force, with a reason."""
    user = person_of(request, *WRITERS)
    found = found_version(user, number)
    form, now = RollbackForm(request.POST or None), active()
    sealing.lend(now, found)
    if request.method == "POST" and form.is_valid():
        made = form.act(lambda: actions.rollback(found.number, actor=user, reason=form.cleaned_data["reason"]))
        if made:
            messages.success(request, f"Version {made.number} is in force again.")
            return redirect("policies:version", made.number)
    before = now.text if now else ""
    context = {"form": form, "version": found, "active": now, "changes": changes(before, found.text)}
    context |= differing(before, found.text)
    return render(request, "policies/rollback.html", context, status=422 if form.errors else 200)


def _moved(
    request: HttpRequest, found: PolicyVersion, user: User, action: Callable[[], PolicyVersion], done: str
) -> HttpResponse:
    try:
        action()
    except NarrowgateError as error:
        return show_version(request, found_version(user, found.number), user, refusal=error, status=error.status)
    messages.success(request, f"Version {found.number} {done}")
    return redirect("policies:version", found.number)


def found_version(user: User, number: int) -> PolicyVersion:
    """The version of that number. Raises Http404 where there is none, or none for `user`."""
    found = visible_to(user).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise Http404
    return found


def show_version(
    request: HttpRequest, found: PolicyVersion, user: User, *, refusal: NarrowgateError | None = None, status: int = 200
) -> HttpResponse:
    """The page of a version, with what was refused of it, if anything was."""
    now = active()
    sealing.lend(now, found)
    older = visible_to(user).filter(number__lt=found.number).order_by("-number").first()
    against = older if now is None or now.id == found.id else now
    context = {
        "version": found,
        "step": next_step(found, user),
        "against": against,
        "changes": changes(against.text, found.text) if against else [],
        **(differing(against.text, found.text) if against else {}),
        **seal(found),
        **shown(found.text, whole="whole" in request.GET),
        "problems": list(placed(check(found.text, registry()), found.text)),
        "refusal": refusal,
        "tested": tested(found.text, found.tests),
        "trials": trials_visible_to(user).filter(version=found)[:_TRIALS],
        "tries": user.has_role(*TRIERS),
        "periods": [(name, words) for name, (words, _) in trial_actions.PERIODS.items()],
    }
    return render(request, "policies/version.html", context, status=status)
