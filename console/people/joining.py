"""The door of the invited: a link leads here, a password is set, and the link is used up."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.invitation_actions import accept, find
from agents.form_views import UNUSABLE
from agents.forms import ConsoleForm
from console.people.changes import both, posted
from core.errors import NotFound


class PasswordForm(ConsoleForm):
    """A password, twice."""

    password = forms.CharField(
        max_length=1000,
        strip=False,
        help_text="At least 12 characters, and not a usual one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
        error_messages={"required": "Choose a password."},
    )
    again = forms.CharField(
        max_length=1000,
        strip=False,
        label="The same again",
        error_messages={"required": "Type it once more."},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        """Both must be the same."""
        again = str(self.cleaned_data["again"])
        if self.cleaned_data.get("password", again) != again:
            raise forms.ValidationError("The two are not the same.")
        return again


@never_cache
@sensitive_variables("secret")
@sensitive_post_parameters()
@both
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Set the password of whoever was invited, then send them to sign in. Opening the page uses nothing up."""
    try:
        invited = find(secret).user
    except NotFound as error:
        return render(request, "console/people/spent.html", {"error": error}, status=error.status)
    form = PasswordForm(posted(request))
    if form.is_valid():
        source = get_adapter(request).get_client_ip(request)
        if form.act(lambda: accept(secret, form.cleaned_data["password"], source=source)):
            messages.success(request, "Your password is set. Sign in with it.")
            return redirect("account_login")
    context = {"form": form, "invited": invited}
    return render(request, "console/people/join.html", context, status=UNUSABLE if form.errors else 200)
