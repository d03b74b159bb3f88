"""A `postgresql://` URL in Django's form."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

NAMES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


def database_from(url: str, *, max_age: int = 60) -> dict[str, Any]:
    """Settings for `DATABASES`; connections are kept for `max_age` seconds and checked before each use."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{ours: parts.pop(theirs, "") for ours, theirs in NAMES.items()},
        "OPTIONS": parts,
        "CONN_MAX_AGE": max_age,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
