"""The app's name, for Django."""

from django.apps import AppConfig


class ActivityConfig(AppConfig):
    """See the package's modules."""

    name = "activity"
    default_auto_field = "django.db.models.BigAutoField"
