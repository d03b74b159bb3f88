"""The reading room's addresses."""

from django.urls import path

from audit import erasing_views, list_views, report_views, views

app_name = "record"
urlpatterns = [
    path("", list_views.sessions, name="sessions"),
    path("sessions/export/", list_views.sessions_file, name="sessions_file"),
    path("sessions/<uuid:session_id>/", views.session, name="session"),
    path("sessions/<uuid:session_id>/cut/", views.cut, name="cut"),
    path("actions/", list_views.actions, name="actions"),
    path("actions/export/", list_views.actions_file, name="actions_file"),
    path("actions/erase/", erasing_views.erase_found, name="erase_found"),
    path("actions/<uuid:action_id>/erase/", erasing_views.erase_action, name="erase_action"),
    path("sessions/<uuid:session_id>/erase/", erasing_views.erase_session, name="erase_session"),
    path("erasures/", erasing_views.erasures, name="erasures"),
    path("erasures/<uuid:erasure_id>/", erasing_views.erasure, name="erasure"),
    path("erasures/<uuid:erasure_id>/confirm/", erasing_views.confirm, name="erasure_confirm"),
    path("erasures/<uuid:erasure_id>/drop/", erasing_views.drop, name="erasure_drop"),
    path("actions/<uuid:action_id>/", list_views.action, name="action"),
    path("actions/<uuid:action_id>/again/", list_views.again, name="action_again"),
    path("ledger/", views.ledger, name="ledger"),
    path("ledger/<int:index>/", views.entry, name="entry"),
    path("ledger/export/", views.take_entries, name="take_entries"),
    path("ledger/from/<int:after>/", views.tail, name="tail"),
    path("reports/", report_views.reports, name="reports"),
    path("reports/new/", report_views.new, name="report_new"),
    path("reports/<uuid:report_id>/", report_views.report, name="report"),
    path("reports/<uuid:report_id>/progress/", report_views.progress, name="report_progress"),
    path("reports/<uuid:report_id>/cancel/", report_views.cancel, name="report_cancel"),
    path("reports/<uuid:report_id>/files/<str:name>/", report_views.take, name="report_file"),
    path("evidence/", views.evidence, name="evidence"),
]
