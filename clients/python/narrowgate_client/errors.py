"""What keeps a guarded function from running."""

from __future__ import annotations


class GateError(Exception):
    """The function did not run."""


class Denied(GateError):
    """The gate refused: `code` names the rule, `action` is the action's identifier where there is one."""

    def __init__(self, message: str, *, code: str = "", remedy: str = "", action: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code, self.remedy, self.action = code, remedy, action


class Unavailable(GateError):
    """The gate could not be asked, or its answer not be understood."""


class StillHeld(GateError):
    """People have not decided yet: the hold waits on, and the same asked again finds it. `action` is its identifier."""

    def __init__(self, message: str, *, action: str) -> None:
        super().__init__(message)
        self.action = action
