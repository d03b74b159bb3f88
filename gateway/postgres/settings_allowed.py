"""Which settings an agent may set or show, and with which values. Pure.

Allowed by name: what cannot change which objects a statement means or who runs it. DateStyle, TimeZone and their like do
change what a constant means, so their values belong to the session state in an action's digest (`changes_meaning`).
"""

from __future__ import annotations

import re

from gateway.refusal import Refusal

_ANY = re.compile(r".{0,1000}", re.DOTALL)

SETTABLE: dict[str, re.Pattern[str]] = {
    "application_name": _ANY,
    "bytea_output": _ANY,
    "client_encoding": re.compile(r"utf[-_ ]?8|unicode", re.IGNORECASE),
    "client_min_messages": _ANY,
    "datestyle": _ANY,
    "default_transaction_deferrable": _ANY,
    "default_transaction_isolation": _ANY,
    "default_transaction_read_only": _ANY,
    "extra_float_digits": _ANY,
    "idle_in_transaction_session_timeout": _ANY,
    "idle_session_timeout": _ANY,
    "intervalstyle": _ANY,
    "jit": _ANY,
    "lock_timeout": _ANY,
    "standard_conforming_strings": re.compile(r"on|true|yes|1|t|y", re.IGNORECASE),
    "statement_timeout": _ANY,
    "timezone": _ANY,
    "transaction_deferrable": _ANY,
    "transaction_isolation": _ANY,
    "transaction_read_only": _ANY,
    "transaction_timeout": _ANY,
}
"""Lower-case name to the values it may have."""

MEANING = frozenset({"bytea_output", "datestyle", "extra_float_digits", "intervalstyle", "timezone"})

_SHOWN_ONLY = frozenset(
    """
    block_size default_text_search_config in_hot_standby integer_datetimes is_superuser lc_collate lc_ctype
    lc_messages lc_monetary lc_numeric lc_time max_identifier_length max_index_keys role scram_iterations search_path
    server_encoding server_version server_version_num session_authorization ssl transaction_isolation
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)
SHOWABLE = frozenset(SETTABLE) | _SHOWN_ONLY

SPECIAL = frozenset({"user", "database", "replication", "options"})
"""Startup parameters that are no settings; the listener deals with the first two and refuses the others."""


def changes_meaning(name: str) -> bool:
    """Whether this setting decides what a constant means or how a value is written as text."""
    return name.lower() in MEANING


def check(name: str, value: str | None) -> None:
    """Raise Refusal unless this setting may be set to this value; None means: back to what the gate pinned."""
    allowed = SETTABLE.get(name.lower())
    if allowed is None:
        raise Refusal(
            f"The setting {name} may not be changed through the gate.",
            code="setting_denied",
            remedy="Leave it out: the gate pins what decides the meaning of a statement.",
        )
    if value is not None and not allowed.fullmatch(value.strip()):
        raise Refusal(
            f"The setting {name} may not have the value {value[:60]!r}.", code="setting_value_denied", sqlstate="22023"
        )


def check_show(name: str) -> None:
    """Raise Refusal unless this setting may be shown."""
    if name.lower() not in SHOWABLE:
        raise Refusal(f"The setting {name} may not be shown through the gate.", code="setting_denied")
