"""The addresses behind the posture page's figures."""

from django.urls import path

from monitoring import posture_views as views

app_name = "posture"
urlpatterns = [
    path("steps/<slug:slug>/", views.step, name="step"),
    path("decisions/", views.decisions, name="decisions"),
    path("marks/", views.marks, name="marks"),
]
