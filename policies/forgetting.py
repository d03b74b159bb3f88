"""What policy versions say in the words of a person who is erased."""

from __future__ import annotations

from accounts.erasure import WORDS
from accounts.models import User
from policies.models import PolicyVersion


def forget(user: User, **_sent: object) -> None:
    """Take the notes of an erased person off the versions that they wrote. In the transaction that erases."""
    PolicyVersion.objects.filter(author=user).exclude(note="").update(note=WORDS)
