"""The app's name, for Django."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """See the package's modules."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"
