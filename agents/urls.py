"""The inventory's addresses. One agent's page joins other apps, so it is the console's."""

from django.urls import path

from agents import form_views, views

app_name = "agents"
urlpatterns = [
    path("", views.agents, name="agents"),
    path("enrol/", form_views.enrol, name="enrol"),
    path("<str:name>/suspend/", form_views.change, {"to": "suspend"}, name="suspend"),
    path("<str:name>/reinstate/", form_views.change, {"to": "reinstate"}, name="reinstate"),
    path("<str:name>/retire/", form_views.change, {"to": "retire"}, name="retire"),
]
