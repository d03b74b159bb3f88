"""What can go wrong, in words a person can act on. Pure: no Django, no I/O.

Edges (views, API, gateway, CLI) turn these into their own form; nothing else is shown to anybody.
"""

from __future__ import annotations


class NarrowgateError(Exception):
    """Something was refused or is wrong: `message` says what, `remedy` what to do about it."""

    code = "error"
    status = 400

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Invalid(NarrowgateError):
    """A value that cannot be used; `field` names it."""

    code = "invalid"
    status = 422

    def __init__(self, field: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.field = field


class Refused(NarrowgateError):
    """A rule forbids it; `code` names the rule."""

    code = "refused"
    status = 403

    def __init__(self, message: str, remedy: str = "", *, code: str = "refused") -> None:
        super().__init__(message, remedy)
        self.code = code


class RoleRequired(Refused):
    """It exists only for people with another role, so for this one it is not there."""

    status = 404

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy, code="role_required")


class NotFound(NarrowgateError):
    """There is no such thing, or none that this person may see: the two are never told apart."""

    code = "not_found"
    status = 404


class NotEligible(NarrowgateError):
    """Somebody may not review this hold: `message` says it to them."""

    code = "not_eligible"
    status = 403


class Stale(NarrowgateError):
    """It changed since it was shown."""

    code = "stale"
    status = 409


class AlreadySettled(NarrowgateError):
    """It was decided, expired or withdrawn meanwhile."""

    code = "already_settled"
    status = 409
