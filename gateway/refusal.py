"""A refusal of the gate, before it has a protocol's form. Pure."""

from __future__ import annotations


class Refusal(Exception):
    """`message` is for people, `code` names the rule (`too_many_holds`), `sqlstate` is what a SQL client gets."""

    def __init__(self, message: str, *, code: str, sqlstate: str = "42501", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.sqlstate = sqlstate
        self.remedy = remedy
