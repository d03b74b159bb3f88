"""The app's name, for Django."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """See the package's modules."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Notifications keep what an entry was about by name: those about a person forget it with them."""
        from accounts.erasure import erased
        from approvals.notifications.actions import forget

        erased.connect(forget, dispatch_uid="notifications")
