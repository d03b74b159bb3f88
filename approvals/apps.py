"""The app's name, for Django."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """See the package's modules."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What is kept here of a person's name and words goes when they are erased, and what is kept of a recording with it."""
        from accounts.erasure import erased
        from activity.erasing_actions import recordings_erased
        from approvals.forgetting import forget, forget_recordings

        erased.connect(forget, dispatch_uid="approvals")
        recordings_erased.connect(forget_recordings, dispatch_uid="approvals")
