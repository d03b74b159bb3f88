"""The console's addresses. The gateway's door has its own (`gateway/urls.py`); the two never mix."""

from django.urls import include, path

from console.health import health

urlpatterns = [
    path("health", health, name="health"),
    path("accounts/", include("allauth.urls")),
    path("api/", include("console.api_urls")),
    path("queue/", include("approvals.urls")),
    path("agents/", include("agents.urls")),
    path("record/", include("audit.urls")),
    path("", include("console.urls_pages")),
]
