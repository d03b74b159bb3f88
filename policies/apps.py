"""The app's name, for Django."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """See the package's modules."""

    name = "policies"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """What is kept here of a person's words goes when they are erased."""
        from accounts.erasure import erased
        from policies.forgetting import forget

        erased.connect(forget, dispatch_uid="policies")
