"""The pages that join the apps."""

from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("posture/", views.posture, name="posture"),
    path("agents/<str:name>/", views.agent, name="agent"),
]
