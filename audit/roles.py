"""Who reads the ledger itself: those who answer for the whole."""

from accounts.models import Role

READERS = (Role.AUDITOR, Role.CISO, Role.ENGINEER, Role.ADMINISTRATOR)
