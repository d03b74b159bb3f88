"""The app's name, for Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's modules."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
