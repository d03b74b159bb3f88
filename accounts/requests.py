"""Requests whose person is known."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from accounts.models import Role, User

ANY_ROLE = tuple(Role)
"""Whoever has something to do here. A person without a role sees nothing but that."""


def person_of(request: HttpRequest, *roles: Role) -> User:
    """The signed-in person, with one of `roles` if any are named; behind `login_required`.

    Raises Http404: what is not for somebody does not exist for them.
    """
    user = request.user
    if not isinstance(user, User) or (roles and not user.has_role(*roles)):
        raise Http404
    return user
