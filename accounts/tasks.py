"""Sends invitations. What is due is found in the database, so a lost task loses nothing."""

from __future__ import annotations

from celery import shared_task

from accounts import invitation_mail


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def send_invitations() -> int:
    """Send what is due; says how many."""
    return invitation_mail.send_all_due()
