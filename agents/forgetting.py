"""What agents and credentials say in the words of a person who is erased."""

from __future__ import annotations

from collections.abc import Collection

from accounts.erasure import WORDS
from accounts.models import User
from agents.models import Agent, Credential, Delegation, Halt, Reinstatement


def forget(user: User, *, texts: Collection[str], **_sent: object) -> None:
    """Take the reasons of an erased person off what they stopped, or wanted to act again, and what they let agents do for. In the transaction that erases.

    An agent and a credential do not say whose their reason is: whatever is in the same words goes.
    """
    Agent.objects.filter(status_reason__in=texts).update(status_reason=WORDS)
    Credential.objects.filter(revoked_reason__in=texts).update(revoked_reason=WORDS)
    Reinstatement.objects.filter(asked_by=user).update(reason=WORDS)
    Reinstatement.objects.filter(answered_by=user).exclude(answer="").update(answer=WORDS)
    Halt.objects.filter(halted_by=user).update(reason=WORDS)
    Halt.objects.filter(asked_by=user).update(asked_reason=WORDS)
    Delegation.objects.filter(person=user).update(purpose=WORDS)
