"""The pages that join the apps."""

from django.urls import path

from console import fleet_views, rail, views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("rail/", rail.counts, name="rail"),
    path("posture/", views.posture, name="posture"),
    path("agents/<str:name>/", fleet_views.agent, name="agent"),
]
