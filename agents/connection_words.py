"""What a failed connection to PostgreSQL means and what to do about it, in words. Pure: no Django, no I/O."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """One failure: a code for programs, a sentence and a remedy for people."""

    code: str
    says: str
    remedy: str = ""


_SIGN_IN: tuple[tuple[tuple[str, ...], Said], ...] = (
    (
        ("password authentication failed", "no password supplied"),
        Said(
            "wrong_password", "The server does not accept the user {user} with this password.", "Store the login anew."
        ),
    ),
    (
        ("is not permitted to log in",),
        Said("no_login", "The role {user} may not log in.", "ALTER ROLE … LOGIN, or use another."),
    ),
    (
        ("permission denied for database",),
        Said("no_connect", "{user} may not connect to {database}.", "GRANT CONNECT ON DATABASE … TO it."),
    ),
    (("permission denied to set role",), Said("role", "{user} may not work as that role.", "Grant it the role.")),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        Said(
            "not_admitted", "The server admits no {user} to {database} from this machine.", "Add a line to pg_hba.conf."
        ),
    ),
    (
        ("authentication method requirement", "did not complete authentication"),
        Said(
            "no_scram",
            "The server does not ask for SCRAM, so it cannot prove that it knows the password.",
            "Set password_encryption = scram-sha-256, set the password again, and use scram-sha-256 in pg_hba.conf.",
        ),
    ),
    (
        ("too many connections", "too many clients", "remaining connection slots", "connection limit"),
        Said("too_many_connections", "The server has too many connections.", "Close some, or raise max_connections."),
    ),
    (
        ("is starting up", "is shutting down", "in recovery mode", "not yet accepting"),
        Said("not_ready", "The server is starting or stopping.", "Try again in a moment."),
    ),
    (
        ("timeout expired",),
        Said("timeout", "The server took the connection and then did not answer.", "Look at the server's log."),
    ),
    (
        (
            "closed the connection unexpectedly",
            "eof detected",
            "unexpected eof",
            "closed unexpectedly",
            "connection reset",
        ),
        Said("closed", "The server closed the connection without a word.", "Look at the server's log."),
    ),
)


def refused_sign_in(message: str, database: str, user: str) -> Said:
    """What libpq's or the server's `message` means. The message itself goes no further."""
    text = message.lower()
    if f'database "{database}" does not exist'.lower() in text:
        return Said("no_database", f"There is no database {database} on that server.", "Check its name.")
    for signs, said in _SIGN_IN:
        if any(sign in text for sign in signs):
            return Said(said.code, said.says.format(user=user, database=database), said.remedy)
    return Said("sign_in", f"The server did not let {user} in, for a reason of its own.", "Look at the server's log.")


def refused_tls(error: Exception, host: str) -> Said:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_message.lower(), host)
    if isinstance(error, TimeoutError):
        return Said("timeout", f"{host} took the connection and then did not answer.", "Is it PostgreSQL?")
    if isinstance(error, ConnectionError):
        return Said("closed", f"{host} closed the connection without a word.", "Is it PostgreSQL?")
    return Said("tls", f"No TLS could be agreed on with {host}.", "The gate asks for TLS 1.2 or newer.")


def _certificate(why: str, host: str) -> Said:
    if "expired" in why:
        return Said("tls_expired", "The server's certificate has expired.", "Renew it.")
    if "mismatch" in why or "not valid for" in why:
        return Said("tls_name", f"The server's certificate is not for {host}.", "Use the name that is in it.")
    return Said(
        "tls_untrusted",
        "The server's certificate is signed by nobody this machine trusts.",
        "Add the CA certificate it is signed by.",
    )
