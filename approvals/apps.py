"""The app's name, for Django."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """See the package's modules."""

    name = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What is kept here of a person's name and words goes when they are erased, and what is kept of a recording with it.
        Webhooks' secrets follow the vault's key.
        """
        from accounts.erasure import erased
        from activity.erasing_actions import recordings_erased
        from agents.vault_keys import rewrapping
        from approvals.forgetting import forget, forget_recordings
        from approvals.outbox.sealed import rewrap_all

        erased.connect(forget, dispatch_uid="approvals")
        recordings_erased.connect(forget_recordings, dispatch_uid="approvals")
        rewrapping.connect(rewrap_all, dispatch_uid="approvals")
