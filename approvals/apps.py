"""The app's name, for Django."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """See the package's modules."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What is kept here of a person's name and words goes when they are erased."""
        from accounts.erasure import erased
        from approvals.forgetting import forget

        erased.connect(forget, dispatch_uid="approvals")
