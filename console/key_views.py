"""An agent's public keys by page: one more of them, and the end of one, after saying what that ends."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from accounts.models import Role
from accounts.requests import person_of
from agents import actions
from agents.form_views import answer, both
from agents.forms import ConsoleForm, KeyField, ReasonForm
from console.fleet_views import found_agent, may_stop


class KeyForm(ConsoleForm):
    """A key to register."""

    key = KeyField(
        label="Public key",
        help_text="A JWK of P-256 or Ed25519. The private half never leaves the agent.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "is-code", "spellcheck": "false", "autocomplete": "off"}),
    )


@both
@login_required
def add(request: HttpRequest, name: str) -> HttpResponse:
    """Register one more public key, for a change of keys."""
    engineer = person_of(request, Role.ENGINEER)
    found = found_agent(engineer, name)
    form = KeyForm(request.POST or None)
    if form.does(lambda: actions.add_key(found.id, public_jwk=form.cleaned_data["key"], actor=engineer)):
        messages.success(request, f"{found.name} can prove itself with the new key. Revoke the old one when it does.")
        return redirect("console:agent", found.name)
    return answer(request, "console/fleet/add_key.html", form, agent=found)


@both
@login_required
def revoke(request: HttpRequest, name: str, kid: str) -> HttpResponse:
    """End a key, and every credential that was got with it."""
    user = person_of(request)
    found = found_agent(user, name)
    if not may_stop(user, found):
        raise Http404
    key = get_object_or_404(found.keys, kid=kid, revoked_at=None)
    form = ReasonForm(request.POST or None)
    if form.does(lambda: actions.revoke_key(key.id, actor=user, reason=form.cleaned_data["reason"])):
        messages.success(request, "The key is revoked, and what was got with it has ended.")
        return redirect("console:agent", found.name)
    context = {
        "agent": found,
        "key": key,
        "ends": key.credentials.filter(revoked_at=None, expires_at__gt=timezone.now()).count(),
        "others": found.keys.filter(revoked_at=None).exclude(id=key.id).count(),
    }
    return answer(request, "console/fleet/revoke_key.html", form, **context)
