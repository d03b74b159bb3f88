"""The help's addresses."""

from django.urls import path

from console.help import views

app_name = "help"
urlpatterns = [
    path("", views.contents, name="contents"),
    path("<slug:volume>/", views.document, name="document"),
]
