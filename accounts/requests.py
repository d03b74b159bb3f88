"""Requests whose person is known."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from accounts.models import Role, User


def person_of(request: HttpRequest, *roles: Role) -> User:
    """The signed-in person; behind `login_required`. Raises PermissionDenied unless they have one of `roles`, if any are named."""
    user = request.user
    if not isinstance(user, User) or (roles and not user.has_role(*roles)):
        raise PermissionDenied
    return user


def person_or_404(request: HttpRequest, *roles: Role) -> User:
    """The signed-in person with one of `roles`; for others the page does not exist. Raises Http404."""
    user = person_of(request)
    if not user.has_role(*roles):
        raise Http404
    return user
