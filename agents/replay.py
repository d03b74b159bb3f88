"""What may be used once: noted at its first use, so that a second one is a replay, in whatever process."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from agents.models import SeenAssertion

KEEP = timedelta(minutes=10)  # longer than anything noted here lives, skew included


def is_first_use(*parts: str, expires_at: datetime, now: datetime) -> bool:
    """Note what `parts` name as used; False if it was before. Committed at once: a refusal later on does not give it back."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    SeenAssertion.objects.filter(expires_at__lt=now - KEEP).delete()
    try:
        with transaction.atomic():
            SeenAssertion.objects.create(digest=digest, expires_at=expires_at)
    except IntegrityError:
        return False
    return True
