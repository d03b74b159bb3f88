"""The reading room's addresses."""

from django.urls import path

from audit import list_views, views

app_name = "record"
urlpatterns = [
    path("", list_views.sessions, name="sessions"),
    path("sessions/export/", list_views.sessions_file, name="sessions_file"),
    path("sessions/<uuid:session_id>/", views.session, name="session"),
    path("sessions/<uuid:session_id>/cut/", views.cut, name="cut"),
    path("actions/", list_views.actions, name="actions"),
    path("actions/export/", list_views.actions_file, name="actions_file"),
    path("actions/<uuid:action_id>/", list_views.action, name="action"),
    path("ledger/", views.ledger, name="ledger"),
    path("ledger/<int:index>/", views.entry, name="entry"),
    path("evidence/", views.evidence, name="evidence"),
]
