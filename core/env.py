"""Typed readers of the environment: the one way a setting comes in. A bad value stops the start with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import Invalid


def text(name: str, default: str | None = None) -> str:
    """The variable `name`; raises Invalid when it is unset and there is no default."""
    value = os.environ.get(name, default)
    if value is None:
        raise Invalid(name, f"The setting {name} is not set.", f"Set the environment variable {name}.")
    return value


def flag(name: str, *, default: bool = False) -> bool:
    """A switch: 1, true, yes, on or 0, false, no, off."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise Invalid(name, f"The setting {name} is neither on nor off.", "Use 1 or 0.")


def number(name: str, default: int) -> int:
    """A whole number."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise Invalid(name, f"The setting {name} is not a whole number.", f"For example {default}.") from None


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def secret(name: str, default: str | None = None) -> str:
    """A secret: from the file that NAME_FILE names, else from NAME. Raises Invalid when neither is set."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return text(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Invalid(f"{name}_FILE", f"The secret file {path} cannot be read: {error.strerror}.") from None
