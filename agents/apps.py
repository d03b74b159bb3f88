"""The app's name, for Django."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """See the package's modules."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
