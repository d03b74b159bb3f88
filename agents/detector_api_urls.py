"""The addresses of detectors in the API."""

from django.urls import path

from agents import detector_api as views

urlpatterns = [
    path("v1/detectors", views.DetectorsView.as_view(), name="detectors"),
    path("v1/detectors/<str:name>", views.OwnDetectorView.as_view(), name="own_detector"),
    path("v1/resources/<str:name>/detectors", views.ResourceDetectorsView.as_view(), name="resource_detectors"),
]
