"""allauth's hooks: nobody signs themselves up, and every sign-in or failure is an entry."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from accounts.actors import actor_of, subject_of
from accounts.models import User
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

NOBODY = Actor(kind="person", id="", name="somebody unknown")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth publishes no types
    """The one adapter that the settings name."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited, never self-made."""
        return False

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Called once every stage (password, second factor) is passed."""
        super().login(request, user)
        if not isinstance(user, User):
            return
        with transaction.atomic():
            record(Event.SIGNED_IN, actor=actor_of(user), subject=subject_of(user), source=self.get_client_ip(request))

    def authentication_failed(self, request: HttpRequest, **credentials: object) -> None:
        """What was typed as a name is kept only where it is one: people type passwords into the wrong field."""
        super().authentication_failed(request, **credentials)
        user = User.objects.filter(username=credentials.get("username", "")).first()
        subject = subject_of(user) if user else Subject(kind="person", id="", name=NOBODY.name)
        with transaction.atomic():
            record(Event.SIGN_IN_FAILED, actor=NOBODY, subject=subject, source=self.get_client_ip(request))
