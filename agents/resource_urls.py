"""The addresses of resources and segments."""

from django.urls import path

from agents import detector_views, segment_views, tool_views
from agents import resource_views as views

app_name = "resources"
urlpatterns = [
    path("", views.resources, name="all"),
    path("add/", views.add, name="add"),
    path("segments/", segment_views.segments, name="segments"),
    path("segments/reviewers/", segment_views.reviewers, name="reviewers"),
    path("segments/<slug:name>/edit/", segment_views.edit_segment, name="edit_segment"),
    path("segments/<slug:name>/retire/", segment_views.retire_segment, name="retire_segment"),
    path("r/<slug:name>/", views.resource, name="one"),
    path("r/<slug:name>/edit/", views.edit, name="edit"),
    path("r/<slug:name>/retire/", views.retire, name="retire"),
    path("r/<slug:name>/tags/remove/", views.untag, name="untag"),
    path("r/<slug:name>/login/", views.login, name="login"),
    path("r/<slug:name>/login/<slug:use>/rotate/", views.rotate, name="rotate"),
    path("r/<slug:name>/test/", views.test, name="test"),
    path("r/<slug:name>/scan/", views.scan, name="scan"),
    path("r/<slug:name>/tags/", views.tag, name="tags"),
    path("detectors/", detector_views.detectors, name="detectors"),
    path("detectors/write/", detector_views.write, name="write_detector"),
    path("detectors/<slug:name>/remove/", detector_views.remove, name="remove_detector"),
    path("r/<slug:name>/detectors/", detector_views.at_resource, name="resource_detectors"),
    path("r/<slug:server>/tools/", tool_views.tools, name="tools"),
    path("r/<slug:server>/tools/read/", tool_views.read, name="read_tools"),
    path("r/<slug:server>/tools/accept/", tool_views.accept, name="accept_tools"),
    path("r/<slug:server>/tools/withdraw/", tool_views.withdraw, name="withdraw_tool"),
    path("r/<slug:server>/tools/command/", tool_views.command, name="tool_command"),
]
