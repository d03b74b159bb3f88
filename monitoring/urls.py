"""The addresses of incidents and of the signals behind every score."""

from django.urls import path

from monitoring import views

app_name = "incidents"
urlpatterns = [
    path("", views.incidents, name="incidents"),
    path("export/", views.incidents_file, name="file"),
    path("signals/", views.signals, name="signals"),
    path("<uuid:incident_id>/", views.incident, name="incident"),
    path("<uuid:incident_id>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("<uuid:incident_id>/severity/", views.rate, name="rate"),
    path("<uuid:incident_id>/contain/", views.contain, name="contain"),
    path("<uuid:incident_id>/assign/", views.assign, name="assign"),
    path("<uuid:incident_id>/note/", views.note, name="note"),
    path("<uuid:incident_id>/resolve/", views.resolve, name="resolve"),
]
