"""The addresses of who can reach what. They join policies and the record with the inventory, so they are the console's."""

from django.urls import path

from console import reach_views

app_name = "reach"
urlpatterns = [
    path("agents/<str:name>/permissions/", reach_views.permissions, name="agent"),
    path("resources/r/<slug:name>/reach/", reach_views.reach, name="resource"),
    path("resources/segments/map/", reach_views.segments, name="segments"),
]
