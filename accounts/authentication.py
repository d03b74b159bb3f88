"""How a person's API token is read: `Authorization: Token ngp_…`. An agent's credential is not accepted here."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.actions import TOKEN_PREFIX, digest
from accounts.models import ApiToken, User
from core.db import db_now

USE_NOTED_EVERY = timedelta(minutes=1)


class ApiTokenAuthentication(BaseAuthentication):
    """DRF's hook. `request.user` is the person, `request.auth` the token with its scopes."""

    keywords: ClassVar[tuple[str, ...]] = ("Token",)

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """None without the header; raises AuthenticationFailed for anything but a live token of an active person."""
        words = get_authorization_header(request).decode("latin-1").split()
        if not words:
            return None
        if len(words) != 2 or words[0] not in self.keywords or not words[1].startswith(TOKEN_PREFIX):
            raise AuthenticationFailed("The console's API takes a person's token: Authorization: Token ngp_…")
        token = ApiToken.objects.select_related("user").filter(digest=digest(words[1])).first()
        now = db_now()
        if token is None or token.expires_at <= now or not token.user.is_active:
            raise AuthenticationFailed("This token is unknown or has expired.")
        if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
            ApiToken.objects.filter(id=token.id).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Makes a missing token a 401, not a 403."""
        return self.keywords[0]
