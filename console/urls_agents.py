"""The fleet's addresses. Its pages join other apps, so they are the console's."""

from django.urls import path

from agents import form_views
from console import expiring, fleet_views, key_views, reinstating_views, saved_views

app_name = "agents"
urlpatterns = [
    path("", fleet_views.agents, name="agents"),
    path("export/", fleet_views.agents_file, name="agents_file"),
    path("credentials/", expiring.credentials, name="credentials"),
    path("views/save/", saved_views.save, name="save_view"),
    path("views/<int:view_id>/forget/", saved_views.forget, name="forget_view"),
    path("enrol/", form_views.enrol, name="enrol"),
    path("<str:name>/keys/add/", key_views.add, name="add_key"),
    path("<str:name>/keys/<str:kid>/revoke/", key_views.revoke, name="revoke_key"),
    path("<str:name>/edit/", fleet_views.edit, name="edit"),
    path("<str:name>/suspend/", fleet_views.stop, {"how": "suspend"}, name="suspend"),
    path("<str:name>/revoke/", fleet_views.stop, {"how": "revoke"}, name="revoke"),
    path("<str:name>/retire/", fleet_views.stop, {"how": "retire"}, name="retire"),
    path("<str:name>/reinstate/", reinstating_views.reinstate, name="reinstate"),
    path("<str:name>/reinstate/<uuid:asked>/confirm/", reinstating_views.confirm, name="confirm"),
    path("<str:name>/reinstate/<uuid:asked>/decline/", reinstating_views.decline, name="decline"),
]
