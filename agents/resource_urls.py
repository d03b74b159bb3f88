"""The addresses of resources and segments."""

from django.urls import path

from agents import resource_views as views

app_name = "resources"
urlpatterns = [
    path("", views.resources, name="all"),
    path("add/", views.add, name="add"),
    path("segments/", views.segments, name="segments"),
    path("segments/reviewers/", views.reviewers, name="reviewers"),
    path("r/<slug:name>/", views.resource, name="one"),
    path("r/<slug:name>/edit/", views.edit, name="edit"),
    path("r/<slug:name>/login/", views.login, name="login"),
    path("r/<slug:name>/test/", views.test, name="test"),
    path("r/<slug:name>/scan/", views.scan, name="scan"),
    path("r/<slug:name>/tags/", views.tag, name="tags"),
]
