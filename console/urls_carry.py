"""The addresses of agents and resources as files."""

from django.urls import path, register_converter

from agents.carrying import FIELDS
from console import carrying_views as views


class What:
    """What is carried: agents or resources."""

    regex = "|".join(FIELDS)

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(What, "what")

app_name = "carry"
urlpatterns = [
    path("<what:what>/file/", views.bring, name="bring"),
    path("<what:what>/file/<str:form>/", views.take, name="take"),
]
