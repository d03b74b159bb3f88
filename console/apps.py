"""The app's name, for Django."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """See the package's modules."""

    name = "console"
    default_auto_field = "django.db.models.BigAutoField"
