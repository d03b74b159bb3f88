"""An invitation as a mail. Its link is made when it is sent: until then no secret of it exists anywhere."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from accounts.invitation_actions import fresh_mail_secret
from accounts.mailing import message, send_due
from accounts.models import Invitation
from core.db import db_now


def send_all_due() -> int:
    """Send the invitations that are due; says how many were sent."""
    return send_due(Invitation.objects.select_related("user"), write)


def write(invitation: Invitation) -> EmailMessage | None:
    """The mail, unless it would lead nowhere. In a transaction."""
    open_still = invitation.used_at is None and invitation.expires_at > db_now()
    if not open_still or not invitation.user.is_active or not invitation.user.email:
        return None
    link = f"{settings.CONSOLE_URL.rstrip('/')}{reverse('invitation', args=[fresh_mail_secret(invitation)])}"
    says = {"link": link, "until": invitation.expires_at}
    return message(invitation.user, "You are invited", "accounts/mail/invitation.txt", says, invitation.id)
