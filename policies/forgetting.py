"""What policy versions say in the words of a person who is erased."""

from __future__ import annotations

from accounts.erasure import WORDS
from accounts.models import User
from policies.models import PolicyIntake, PolicyRollback, PolicyVersion


def forget(user: User, **_sent: object) -> None:
    """Take the words of an erased person off the versions that they wrote, rolled back to and looked at. In the transaction that erases."""
    PolicyVersion.objects.filter(author=user).exclude(note="").update(note=WORDS)
    PolicyIntake.objects.filter(asked_by=user).delete()
    PolicyRollback.objects.filter(by=user).update(reason=WORDS)
    PolicyRollback.objects.filter(reviewed_by=user).update(found=WORDS)
