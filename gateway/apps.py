"""The app's name, for Django."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """See the package's modules."""

    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"
