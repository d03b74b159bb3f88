"""The app's name, for Django."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """See the package's modules."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Reports that hold a recording go when it is erased."""
        from activity.erasing_actions import recordings_erased
        from audit.forgetting import forget_recordings

        recordings_erased.connect(forget_recordings, dispatch_uid="audit")
