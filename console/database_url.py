"""A `postgresql://` URL in Django's form."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

NAMES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
WAIT = 4.0
"""Seconds that a request waits for a connection: whoever asked hears that there is none while they still listen."""
REST = 60.0
"""Seconds after which a connection that nobody needs is closed."""


def database_from(url: str, *, shared: int = 0) -> dict[str, Any]:
    """Settings for `DATABASES`. All threads share at most so many connections, each checked before it is lent; none are shared at 0."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    names = {ours: parts.pop(theirs, "") for ours, theirs in NAMES.items()}
    if shared:
        parts["pool"] = {"min_size": 1, "max_size": shared, "timeout": WAIT, "max_idle": REST}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **names,
        "OPTIONS": {**parts, "prepare_threshold": 0},  # for `core.db.prepared`; Django's own cursors prepare nothing
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
