"""How the tests of this folder speak to the API and the pages."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client

from accounts import actions as people
from accounts.models import User
from accounts.scopes import SCOPES
from agents import keys

Answer = tuple[int, Any]


def new_key() -> dict[str, str]:
    """The public half of a new key."""
    return keys.public_jwk(keys.generate())


class Caller:
    """The API as one person, with all scopes or those given."""

    def __init__(self, user: User, *scopes: str) -> None:
        given = scopes or tuple(SCOPES)
        _, secret = people.create_api_token(user, name="tests", scopes=given, lifetime=timedelta(hours=1), actor=user)
        self.client = Client(headers={"Authorization": f"Token {secret}"})

    def get(self, path: str) -> Answer:
        return self._said(self.client.get(f"/api/v1/{path}"))

    def post(self, path: str, body: object = None) -> Answer:
        return self._said(self.client.post(f"/api/v1/{path}", json.dumps(body or {}), content_type="application/json"))

    def put(self, path: str, body: object) -> Answer:
        return self._said(self.client.put(f"/api/v1/{path}", json.dumps(body), content_type="application/json"))

    def patch(self, path: str, body: object) -> Answer:
        return self._said(self.client.patch(f"/api/v1/{path}", json.dumps(body), content_type="application/json"))

    @staticmethod
    def _said(response: Any) -> Answer:
        return response.status_code, json.loads(response.content) if response.content else None


def browser(user: User) -> Client:
    """A browser in which `user` is signed in."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client
