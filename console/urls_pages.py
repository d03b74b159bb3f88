"""The pages that join the apps."""

from django.urls import path

from console import fleet_views, views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("posture/", views.posture, name="posture"),
    path("agents/<str:name>/", fleet_views.agent, name="agent"),
]
