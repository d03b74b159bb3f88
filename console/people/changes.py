"""Changes of a person that have a page of their own, which says what they do before they are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import actions
from accounts.invitation_actions import issue
from accounts.models import Role, User
from accounts.people import has_joined
from accounts.refusals import noting
from accounts.requests import person_of
from accounts.role_actions import ask_to_erase, ask_to_recover, ask_to_unlink
from agents import closing_actions
from agents.form_views import answer
from agents.forms import ConsoleForm
from console.people.forms import LinkForm, NothingForm
from console.people.owning import owned_by, unanswered_agents

both = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True)
class Change:
    """A change as its page tells it: what it will do, and what it says once done."""

    title: str
    will: tuple[str, ...]
    button: str
    done: str
    act: Callable[[User, ConsoleForm, User], object]
    form: type[ConsoleForm] = NothingForm
    look: str = "btn-ink"


CHANGES = {
    "deactivate": Change(
        "Deactivate",
        (
            "Their sessions and API tokens end now, and nobody signs in to this account.",
            "What agents do for them ends within a second, and stays ended should the account be opened again.",
            "Approvals that they gave count no longer for what still waits.",
            "What they own stays theirs until somebody else is named.",
        ),
        "Deactivate",
        "is deactivated; their sessions and API tokens have ended",
        lambda user, form, actor: closing_actions.deactivate(user, actor=actor),
        look="btn-deny",
    ),
    "reactivate": Change(
        "Reactivate",
        (
            "They can sign in again with the password and second factor they had. API tokens stay ended.",
            "Their memberships begin anew: for what was asked before they count once a second administrator confirms.",
        ),
        "Reactivate",
        "can sign in again",
        lambda user, form, actor: actions.reactivate(user, actor=actor),
    ),
    "link": Change(
        "Link another account",
        (
            "Both accounts are of one person: a quorum counts them once, and what one may not review the other may not.",
            "Telling them apart again takes a second administrator.",
        ),
        "Link them",
        "and the other account are one person",
        lambda user, form, actor: actions.link(user, form.cleaned_data["other"], actor=actor),
        form=LinkForm,
    ),
    "unlink": Change(
        "Tell the accounts apart",
        (
            "This account counts as a person of its own again, once a second administrator confirms it.",
            "Until then nothing changes.",
        ),
        "Ask for it",
        "will count as a person of their own once a second administrator confirms",
        lambda user, form, actor: ask_to_unlink(user, actor=actor),
    ),
    "recover": Change(
        "Help who lost their passkeys",
        (
            "Once a second administrator confirms it, every passkey and second factor of theirs ends, and so do their sessions.",
            "They sign in with their password and add a passkey of their own; whoever knows the password could do so as well.",
            "What they signed before stays valid: the record keeps each passkey's public key.",
        ),
        "Ask for it",
        "can add other passkeys once a second administrator confirms",
        lambda user, form, actor: ask_to_recover(user, actor=actor),
    ),
    "erase": Change(
        "Erase",
        (
            "Once a second administrator confirms it, their name, user name, e-mail address and ways to sign in are destroyed.",
            "Entries about them stay and verify as before; they name nobody any more. Copies taken earlier still hold the name.",
            "What was recorded of what agents did for them is erased with them: statements, what came back, claims.",
            "Nobody can undo it, and until it is confirmed nothing changes.",
        ),
        "Ask for it",
        "will be erased once a second administrator confirms",
        lambda user, form, actor: ask_to_erase(user, actor=actor),
        look="btn-deny",
    ),
}


@both
@login_required
def change(request: HttpRequest, username: str, to: str) -> HttpResponse:
    """Deactivate, reactivate, link or tell apart, after saying what that does."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    person, told = found(username), CHANGES[to]
    form = told.form(posted(request))
    if form.does(noting(partial(told.act, person, form, administrator), to, person, actor=administrator)):
        messages.success(request, f"{person} {told.done}.")
        return redirect("people:person", username)
    context: dict[str, Any] = {"person": person, "change": told, "to": to}
    if to == "deactivate":
        context |= {"owning": owned_by(person), "unanswered": unanswered_agents(person)}
    return answer(request, "console/people/change.html", form, **context)


@never_cache
@sensitive_variables("secret")
@both
@login_required
def invitation(request: HttpRequest, username: str) -> HttpResponse:
    """Give somebody a new way in; the link is shown this once."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    person = found(username)
    form = NothingForm(posted(request))
    if form.is_valid():
        issued = form.act(noting(partial(issue, person, actor=administrator), "invite", person, actor=administrator))
        if issued:
            return show_link(request, person, issued[1])
    return answer(request, "console/people/renew.html", form, person=person, joined=has_joined(person))


@sensitive_variables("secret")
def show_link(request: HttpRequest, person: User, secret: str) -> HttpResponse:
    """The page with the link, which nobody sees again."""
    open_one = person.invitations.get(used_at=None)
    context = {"person": person, "link": link_of(secret), "until": open_one.expires_at, "now": timezone.now()}
    return render(request, "console/people/link.html", context)


def link_of(secret: str) -> str:
    """The whole address that an invitation is."""
    return f"{settings.CONSOLE_URL.rstrip('/')}{reverse('invitation', args=[secret])}"


def posted(request: HttpRequest) -> QueryDict | None:
    """What was sent, to bind a form to; None where the page is only looked at."""
    return request.POST if request.method == "POST" else None


def found(username: str) -> User:
    """The person with this user name. Raises Http404."""
    person = User.objects.filter(username=username).first()
    if person is None:
        raise Http404
    return person
