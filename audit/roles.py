"""Who reads the ledger itself: those who answer for the whole."""

from accounts.models import Role

REPORT_READERS = (Role.AUDITOR, Role.CISO)
"""Who asks for reports, and for entries as files that are made in the background."""
READERS = (Role.AUDITOR, Role.CISO, Role.ENGINEER, Role.ADMINISTRATOR)
