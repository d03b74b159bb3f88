"""The app's name, for Django."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """See the package's modules."""

    name = "policies"
    default_auto_field = "django.db.models.BigAutoField"
