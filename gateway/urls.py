"""The addresses of the gateway's door, for agents. The console's are in `console/urls.py`; the two never mix."""

from django.urls import path

from gateway.oauth import certificate, token
from gateway.views import action

handler404 = "gateway.door.not_found"
handler500 = "gateway.door.broken"

urlpatterns = [
    path("oauth/token", token, name="token"),
    path("v1/certificate", certificate, name="certificate"),
    path("v1/actions/<uuid:action_id>", action, name="action"),
]
