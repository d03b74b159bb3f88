"""The app's name, for Django."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """See the package's modules."""

    name = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
