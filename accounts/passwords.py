"""Setting a password: the one place that weighs it."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User
from core.errors import Invalid


def set_password(user: User, password: str | None) -> None:
    """Give `user`, who is not saved here, a password; None lets nobody in. Raises Invalid for one that is weak."""
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Invalid("password", " ".join(error.messages)) from None
    user.set_password(password)
