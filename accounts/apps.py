"""The app's name, for Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package's modules."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Passkeys that come and go leave their entries, in the transaction of the page that changes them (`console/urls.py`)."""
        from allauth.mfa.signals import authenticator_added, authenticator_removed

        from accounts.passkeys import added, removed

        authenticator_added.connect(added, dispatch_uid="accounts")
        authenticator_removed.connect(removed, dispatch_uid="accounts")
