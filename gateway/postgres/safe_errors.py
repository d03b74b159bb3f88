"""Error reports of a resource that may not quote data: the SQLSTATE stays, the words are ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.postgres.messages import error_response

CLASSES: Mapping[str, str] = {
    "08": "The connection to the resource failed.",
    "21": "A subquery returned more than one row.",
    "22": "A value cannot be used here.",
    "23": "A constraint would be violated.",
    "25": "The transaction is not in a state that allows this.",
    "40": "The transaction was rolled back.",
    "42": "The statement is wrong, or the gate's login may not do this.",
    "53": "The resource has not enough room.",
    "54": "A limit of the resource was reached.",
    "55": "An object is not in the state that this needs.",
    "57": "The statement was stopped.",
}
WORDS: Mapping[str, str] = {
    "22001": "A value is too long for its column.",
    "22003": "A number is out of range.",
    "22012": "Division by zero.",
    "22P02": "A value does not have the form its type needs.",
    "23502": "A value is missing where the column needs one.",
    "23503": "A foreign key would be violated.",
    "23505": "A value exists already that must be unique.",
    "23514": "A check constraint would be violated.",
    "25P02": "current transaction is aborted, commands ignored until end of transaction block",
    "40001": "could not serialize access due to concurrent update",
    "40P01": "A deadlock was found and this transaction was chosen to end.",
    "55P03": "A lock could not be had.",
    "57014": "canceling statement due to user request",
}
HINT = "Tagged data takes part, so the gate leaves out what the resource said."


def safe_words(sqlstate: str) -> str:
    """Words that say nothing about data."""
    return WORDS.get(sqlstate) or CLASSES.get(sqlstate[:2]) or "The resource refused the statement."


def safe_error(report: Mapping[str, str]) -> bytes:
    """An ErrorResponse with the severity and SQLSTATE of `report` and nothing else of it."""
    sqlstate = report.get("C", "XX000")
    severity = report.get("V", "ERROR")
    return error_response(sqlstate, safe_words(sqlstate), severity=severity, hint=HINT)
