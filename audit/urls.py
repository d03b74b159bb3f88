"""The reading room's addresses."""

from django.urls import path

from audit import views

app_name = "record"
urlpatterns = [
    path("", views.sessions, name="sessions"),
    path("sessions/<uuid:session_id>/", views.session, name="session"),
    path("ledger/", views.ledger, name="ledger"),
    path("ledger/<int:index>/", views.entry, name="entry"),
    path("evidence/", views.evidence, name="evidence"),
]
