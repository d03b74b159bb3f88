"""The addresses that AuthZEN, Authorization API 1.0, gives its endpoints (section 10.1)."""

from django.urls import path

from policies import authzen_views as views

app_name = "authzen"
urlpatterns = [
    path(".well-known/authzen-configuration", views.configuration, name="configuration"),
    path("access/v1/evaluation", views.Evaluation.as_view(), name="evaluation"),
    path("access/v1/evaluations", views.Evaluations.as_view(), name="evaluations"),
    path("access/v1/search/subject", views.SubjectSearch.as_view(), name="search_subject"),
    path("access/v1/search/resource", views.ResourceSearch.as_view(), name="search_resource"),
    path("access/v1/search/action", views.ActionSearch.as_view(), name="search_action"),
]
