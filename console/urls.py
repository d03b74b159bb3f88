"""The console's addresses. The gateway's door has its own (`gateway/urls.py`); the two never mix."""

from django.urls import include, path

from console.health import health
from console.views import no_reset

urlpatterns = [
    path("health", health, name="health"),
    path("account/password/reset/", no_reset),
    path("account/password/reset/<path:step>", no_reset),
    path("account/", include("allauth.urls")),
    path("api/", include("console.api_urls")),
    path("queue/", include("approvals.urls")),
    path("agents/", include("agents.urls")),
    path("record/", include("audit.urls")),
    path("", include("console.urls_pages")),
]

handler403 = "console.views.forbidden"
handler404 = "console.views.not_found"
handler500 = "console.views.broken"
