"""Agents and resources as files: taken away, or brought, after a look at what a file would change."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.models import Role, User
from accounts.requests import person_of
from agents.carrying import FIELDS, FORMATS, MOST_BYTES, MOST_ROWS, written
from agents.form_views import UNUSABLE, both
from agents.forms import ConsoleForm
from agents.importing import Plan, apply, exported, plan
from agents.models import Agent
from agents.queries import visible_agents, visible_resources
from audit.reading import note_taken

KINDS: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


class BringForm(ConsoleForm):
    """A file, or its text; and, to do what was looked at, the digest of that."""

    file = forms.FileField(
        required=False, help_text=f"CSV or JSON, {MOST_ROWS:,} rows and {MOST_BYTES // 1000} kB at most."
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Or paste it",
        widget=forms.Textarea(attrs={"rows": 8, "class": "is-code", "spellcheck": "false"}),
    )
    form = forms.ChoiceField(label="As", choices=[(one, one.upper()) for one in FORMATS])
    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """One text, whichever way it came."""
        given = super().clean() or self.cleaned_data
        file = given.get("file")
        if file is not None:
            given["text"] = self._text(file)
        if not given.get("text", "").strip():
            raise forms.ValidationError("Choose a file, or paste its text.")
        return given

    def _text(self, file: Any) -> str:  # noqa: ANN401 -- an uploaded file
        if file.size > MOST_BYTES:
            raise forms.ValidationError(f"The file has more than {MOST_BYTES // 1000} kB. Split it.")
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text. Save it as CSV in UTF-8, or as JSON.") from None


@both
@login_required
def bring(request: HttpRequest, what: str) -> HttpResponse:
    """What a file would change, line by line; and, once that was looked at, the change."""
    engineer = person_of(request, Role.ENGINEER)
    form, shown = BringForm(request.POST or None, request.FILES or None), None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        shown = form.act(lambda: _plan_or_done(engineer, what, given))
        if shown and given["seen"] and not form.errors:
            messages.success(request, f"Done: {shown.created} new, {shown.changed} changed, {shown.same} as they were.")
            return redirect("agents:agents" if what == "agents" else "resources:all")
        if shown is None and given["seen"]:
            shown = form.act(lambda: plan(given["text"], given["form"], what, actor=engineer))
    context: dict[str, Any] = {"form": form, "what": what, "plan": shown, "fields": FIELDS[what], "formats": FORMATS}
    if shown is not None:
        context |= {"text": form.cleaned_data["text"], "as": form.cleaned_data["form"]}
    status = UNUSABLE if form.errors or (shown and shown.refused) else 200
    return render(request, "console/fleet/bring.html", context, status=status)


def _plan_or_done(engineer: User, what: str, given: dict[str, Any]) -> Plan:
    if given["seen"]:
        return apply(given["text"], given["form"], what, seen=given["seen"], actor=engineer)
    return plan(given["text"], given["form"], what, actor=engineer)


@require_POST
@login_required
def take(request: HttpRequest, what: str, form: str) -> HttpResponse:
    """All of them as a file that can be brought again: no key, no secret. Taking it is an entry."""
    user = person_of(request, Role.ENGINEER, Role.ADMINISTRATOR)
    if form not in KINDS:
        raise Http404
    note_taken(user, f"{what} to carry", {"form": form})
    headers = {"Content-Disposition": f'attachment; filename="narrowgate-{what}.{form}"'}
    return HttpResponse(written(carried(user, what), form, what), content_type=KINDS[form], headers=headers)


def carried(user: User, what: str) -> list[dict[str, Any]]:
    """What there is of them that `user` may see, retired ones left out."""
    if what == "agents":
        return list(
            exported(visible_agents(user).exclude(status=Agent.Status.RETIRED).order_by("name").iterator(), what)
        )
    return list(exported(visible_resources(user).filter(retired_at=None).order_by("name").iterator(), what))
