"""The app's name, for Django."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """See the package's modules."""

    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"
