"""The addresses in the API of the posture, and of an agent's risk."""

from django.urls import path

from monitoring import posture_api as views
from monitoring.api import RiskView

urlpatterns = [
    path("v1/agents/<str:name>/risk", RiskView.as_view(), name="risk"),
    path("v1/posture", views.PostureView.as_view(), name="posture"),
    path("v1/posture/steps/<str:slug>", views.StepView.as_view(), name="posture_step"),
    path("v1/posture/decisions", views.DecisionsView.as_view(), name="posture_decisions"),
    path("v1/posture/marks", views.MarksView.as_view(), name="posture_marks"),
    path("v1/posture/marks/<str:figure>", views.MarkView.as_view(), name="posture_mark"),
]
