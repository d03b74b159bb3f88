"""Webhooks and deliveries by page, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from accounts.requests import person_of
from agents.form_views import answer, both
from agents.forms import ConsoleForm
from agents.history import history_of
from approvals.outbox import actions, webhook_actions
from approvals.outbox.forms import DeliveriesForm, WebhookForm
from approvals.outbox.models import Webhook
from approvals.outbox.narrowing import agent_names, resource_names
from approvals.outbox.queries import COLUMNS, delivery_cells, matching, visible_webhooks, with_figures
from core.errors import NarrowgateError, NotFound
from core.keyset import page_of
from core.streaming import csv_file

LATEST = 10


@require_GET
@login_required
def webhooks(request: HttpRequest) -> HttpResponse:
    """The webhooks, with how they do."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    return render(request, "approvals/outbox/webhooks.html", {"rows": with_figures(administrator)})


@never_cache
@sensitive_variables("secret")
@both
@login_required
def add(request: HttpRequest) -> HttpResponse:
    """Make one; its secret is on the answer and nowhere else."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    form = WebhookForm(request.POST or None, user=administrator)
    if request.method == "POST" and form.is_valid():
        made = form.act(lambda: webhook_actions.add(actor=administrator, **form.about()))
        if made:
            hook, secret = made
            return _shown(request, administrator, hook, secret=secret)
    return answer(request, "approvals/outbox/edit.html", form)


@require_GET
@login_required
def webhook(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """One: what it hears of, how it does, what reached it last."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    return _shown(request, administrator, _found(administrator, webhook_id))


@both
@login_required
def edit(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Change where it is and what it hears of."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    hook = _found(administrator, webhook_id)
    form = WebhookForm(request.POST or None, initial=WebhookForm.of(hook, administrator), user=administrator)
    if form.does(lambda: webhook_actions.change(hook.id, actor=administrator, **form.about())):
        messages.success(request, f"{form.cleaned_data['name']} hears of that from now on.")
        return redirect("webhooks:one", hook.id)
    return answer(request, "approvals/outbox/edit.html", form, webhook=hook)


@never_cache
@sensitive_variables("secret")
@require_POST
@login_required
def secret(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Sign by a new secret; it is on the answer and nowhere else."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    hook = _found(administrator, webhook_id)
    fresh = webhook_actions.renew_secret(hook.id, actor=administrator)
    return _shown(request, administrator, _found(administrator, hook.id), secret=fresh)


@both
@login_required
def remove(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """End it, after saying what that does."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    hook = _found(administrator, webhook_id)
    form = ConsoleForm(request.POST if request.method == "POST" else None)
    if form.does(lambda: webhook_actions.remove(hook.id, actor=administrator)):
        messages.success(request, f"{hook.name} is removed.")
        return redirect("webhooks:all")
    return answer(request, "approvals/outbox/remove.html", form, webhook=hook)


@require_POST
@login_required
def pause(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Tell it nothing for now."""
    return _do(request, webhook_id, webhook_actions.pause, "It is told nothing until you let it go on.")


@require_POST
@login_required
def resume(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Tell it again."""
    return _do(request, webhook_id, webhook_actions.resume, "It is told again.")


@require_POST
@login_required
def try_out(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    """Send it a test event."""
    said = "A test event is on its way: this page says how it went in a moment."
    return _do(request, webhook_id, webhook_actions.try_out, said)


@require_GET
@login_required
def deliveries(request: HttpRequest) -> HttpResponse:
    """What left the console or is to, newest first."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    form = DeliveriesForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    after = request.GET.get("after", "")
    context = {
        "page": page_of(matching(administrator, asked), "made_at", after),
        "form": form,
        "asked": {name: str(value) for name, value in asked.items() if value},
        "webhooks": visible_webhooks(administrator),
        "after": after,
    }
    return render(request, "approvals/outbox/deliveries.html", context)


@require_POST
@login_required
def deliveries_file(request: HttpRequest) -> HttpResponseBase:
    """The deliveries that were asked for, as a file. Taking it is an entry."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    form = DeliveriesForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    actions.note_taken(administrator, {name: str(value) for name, value in asked.items() if value})
    return csv_file("narrowgate-deliveries.csv", COLUMNS, delivery_cells(administrator, asked))


@require_POST
@login_required
def resend(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Deliver one once more."""
    administrator = person_of(request, Role.ADMINISTRATOR)
    try:
        actions.resend(delivery_id, actor=administrator)
    except NotFound:
        raise Http404 from None
    except NarrowgateError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is on its way again.")
    return redirect("webhooks:deliveries")


def _do(request: HttpRequest, webhook_id: UUID, action: Callable[..., object], said: str) -> HttpResponse:
    administrator = person_of(request, Role.ADMINISTRATOR)
    hook = _found(administrator, webhook_id)
    try:
        action(hook.id, actor=administrator)
        messages.success(request, said)
    except NarrowgateError as error:
        messages.error(request, str(error))
    return redirect("webhooks:one", hook.id)


def _shown(request: HttpRequest, user: User, hook: Webhook, **context: Any) -> HttpResponse:  # noqa: ANN401
    latest = list(matching(user, {"webhook": hook.id}).order_by("-made_at", "-id")[:LATEST])
    shown = {
        "webhook": hook,
        "agents": agent_names(hook.agents, user),
        "resources": resource_names(hook.resources, user),
        "latest": latest,
        "changes": history_of(hook.id),
        "secret": "",
        **context,
    }
    return render(request, "approvals/outbox/webhook.html", shown)


def _found(user: User, webhook_id: UUID) -> Webhook:
    found = visible_webhooks(user).filter(id=webhook_id).first()
    if found is None:
        raise Http404
    return found
