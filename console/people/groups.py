"""Groups by page: the list, one group with its members, and what they may review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from accounts import actions
from accounts.models import Role
from accounts.objects import targets_by_group
from accounts.refusals import noting
from accounts.requests import person_of
from agents import actions as inventory
from agents.form_views import answer
from agents.models import Agent, Resource, Segment
from console.people.changes import both, posted
from console.people.forms import GroupForm, MemberForm, ReviewForm
from console.people.views import READERS
from core.errors import NarrowgateError

KINDS: dict[str, type[Segment | Resource | Agent]] = {"segment": Segment, "resource": Resource, "agent": Agent}


@dataclass(frozen=True)
class Reviewed:
    """Something that a group may review."""

    kind: str
    target: Segment | Resource | Agent


@both
@login_required
def groups(request: HttpRequest) -> HttpResponse:
    """Every group with its members counted; administrators make one."""
    person = person_of(request, *((Role.ADMINISTRATOR,) if request.method == "POST" else READERS))
    form = GroupForm(posted(request))
    if form.is_valid():
        made = form.act(lambda: actions.create_group(form.cleaned_data["name"], actor=person))
        if made:
            messages.success(request, f"There is a group {made.name}. Add its members, and say what it reviews.")
            return redirect("people:group", made.name)
    listed = list(Group.objects.annotate(members=Count("memberships")).order_by("name"))
    reviewed = reviewed_by(listed)
    rows = [(one, reviewed[one.pk]) for one in listed]
    return answer(request, "console/people/groups.html", form, rows=rows)


@require_GET
@login_required
def group(request: HttpRequest, name: str) -> HttpResponse:
    """One group."""
    person_of(request, *READERS)
    return _group(request, _found(name), MemberForm(), ReviewForm())


@require_POST
@login_required
def add(request: HttpRequest, name: str) -> HttpResponse:
    """Add a member."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    one, form = _found(name), MemberForm(request.POST)
    act = noting(
        lambda: actions.add_member(form.cleaned_data["person"], one, actor=administrator),
        "add",
        one,
        actor=administrator,
    )
    if form.does(act):
        messages.success(request, f"{form.cleaned_data['person']} is in {name}, for what is asked from now on.")
        return redirect("people:group", name)
    return _group(request, one, form, ReviewForm())


@require_POST
@login_required
def let_review(request: HttpRequest, name: str) -> HttpResponse:
    """Let the members review a segment, a resource or an agent."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    one, form = _found(name), ReviewForm(request.POST)
    act = noting(
        lambda: inventory.let_review(one, form.cleaned_data["target"], actor=administrator),
        "let review",
        one,
        actor=administrator,
    )
    if form.does(act):
        messages.success(request, f"The members of {name} review what concerns {form.cleaned_data['target'].name}.")
        return redirect("people:group", name)
    return _group(request, one, MemberForm(), form)


@require_POST
@login_required
def stop_review(request: HttpRequest, name: str) -> HttpResponse:
    """End it."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    one, kind = _found(name), request.POST.get("kind", "")
    target = KINDS[kind].objects.filter(name=request.POST.get("name", "")).first() if kind in KINDS else None
    if target is None:
        raise Http404
    try:
        inventory.stop_review(one, target, actor=administrator)
    except NarrowgateError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The members of {name} no longer review what concerns {target.name}.")
    return redirect("people:group", name)


def reviewed_by(listed: Sequence[Group]) -> dict[int, list[Reviewed]]:
    """What the members of each group may review, segments first; four queries however many groups."""
    targets = targets_by_group(listed)
    known = {
        (kind, target.id): Reviewed(kind, target)
        for kind, model in KINDS.items()
        for target in model.objects.filter(id__in={key for keys in targets.values() for of, key in keys if of == kind})
    }
    order = list(KINDS)
    return {
        one.pk: sorted(
            (known[key] for key in targets.get(one.pk, ()) if key in known),
            key=lambda found: (order.index(found.kind), found.target.name),
        )
        for one in listed
    }


def _group(request: HttpRequest, one: Group, form: MemberForm, review: ReviewForm) -> HttpResponse:
    memberships = one.memberships.select_related("user", "added_by", "confirmed_by").order_by("user__name", "user__id")
    context = {"group": one, "memberships": memberships, "reviewed": reviewed_by([one])[one.pk], "review": review}
    page = answer(request, "console/people/group.html", form, **context)
    page.status_code = 422 if form.errors or review.errors else 200
    return page


def _found(name: str) -> Group:
    one = Group.objects.filter(name=name).first()
    if one is None:
        raise Http404
    return one
