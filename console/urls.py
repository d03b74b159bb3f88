"""The console's addresses. The gateway's door has its own (`gateway/urls.py`); the two never mix."""

from allauth.mfa.webauthn.views import add_webauthn, remove_webauthn
from django.db import transaction
from django.urls import include, path

from approvals.notifications.views import worker
from console.health import health
from console.people.account import account, revoke
from console.people.delegations import delegations, end
from console.people.joining import join
from console.stop_views import stop, stop_how
from console.views import no_reset
from policies.first_steps import first_steps

urlpatterns = [
    path("health", health, name="health"),
    path("account/password/reset/", no_reset),
    path("account/password/reset/<path:step>", no_reset),
    path("account/", account, name="account"),
    path("stop/", stop, name="stop"),
    path("stop/<slug:how>/", stop_how, name="stop_how"),
    path("account/delegations/", delegations, name="delegations"),
    path("account/delegations/<uuid:delegation_id>/end/", end, name="end_delegation"),
    path("account/tokens/<uuid:token_id>/revoke/", revoke, name="revoke_token"),
    # With the entry in the same transaction
    path("account/2fa/webauthn/add/", transaction.atomic(add_webauthn)),
    path("account/2fa/webauthn/<int:pk>/remove/", transaction.atomic(remove_webauthn)),
    path("account/", include("allauth.urls")),
    path("invitation/<str:secret>/", join, name="invitation"),
    path("", include("console.people.urls")),
    path("api/", include("console.api_urls")),
    path("", include("console.urls_reach")),
    path("", include("console.urls_carry")),
    path("queue/", include("approvals.urls")),
    path("agents/", include("console.urls_agents")),
    path("resources/", include("agents.resource_urls")),
    path("policies/", include("policies.urls")),
    path("", include("policies.authzen_urls")),
    path("push-worker.js", worker, name="push_worker"),
    path("notifications/", include("approvals.notifications.urls")),
    path("", include("approvals.outbox.urls")),
    path("start/", first_steps, name="start"),
    path("help/", include("console.help.urls")),
    path("incidents/", include("monitoring.urls")),
    path("posture/", include("monitoring.posture_urls")),
    path("record/", include("audit.urls")),
    path("ledger/", include("audit.tile_urls")),
    path("", include("console.urls_pages")),
]

handler403 = "console.views.forbidden"
handler404 = "console.views.not_found"
handler500 = "console.views.broken"
