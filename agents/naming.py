"""The naming rule of agents: `function.environment`, with `.nn` where there are several. Pure.

Small letters, digits and hyphens, so that a name is also a DNS label sequence, a SPIFFE path and a PostgreSQL
user without quoting rules of their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import Invalid

ENVIRONMENTS = ("production", "staging", "development", "test")
SHORT_FORMS = {"prod": "production", "prd": "production", "live": "production", "stage": "staging", "stg": "staging"}
SHORT_FORMS |= {
    "dev": "development",
    "devel": "development",
    "local": "development",
    "tst": "test",
    "testing": "test",
    "qa": "test",
}
LONGEST = 63  # bytes, as of a PostgreSQL user name
FUNCTION = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*")
INSTANCE = re.compile(r"(?!00)[0-9]{2}")
EXAMPLE = "support-bot.production or support-bot.production.02"


@dataclass(frozen=True)
class AgentName:
    """A name in its parts; `instance` is empty or two digits."""

    function: str
    environment: str
    instance: str = ""

    def __str__(self) -> str:
        return ".".join(part for part in (self.function, self.environment, self.instance) if part)


def parse(name: str) -> AgentName:
    """Read a name. Raises Invalid, whose remedy is the nearest name that follows the rule where there is one."""
    problem = _problem(name)
    if problem:
        suggestion = suggest(name)
        raise Invalid("name", problem, f"Perhaps {suggestion}?" if suggestion else f"For example {EXAMPLE}.")
    return AgentName(*name.split("."))


def suggest(name: str) -> str | None:
    """The nearest name that follows the rule, or None."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = [part.strip("-") for part in re.split(r"[.@/:\s]+", re.sub(r"[^a-z0-9.@/:\s]+", "-", folded))]
    parts = [word for word in words if word]
    if len(parts) == 1:
        parts = _split_off_environment(parts[0])
    function = re.sub(r"^[0-9-]+", "", parts[0]) if parts else ""
    environment = _nearest_environment(parts[1]) if len(parts) > 1 else "production"
    candidate = ".".join([function, environment or "production", *_instance(parts[2:])])
    return None if _problem(candidate) else candidate


def _problem(name: str) -> str:
    """What breaks the rule, in a sentence; empty when nothing does."""
    parts = name.split(".")
    if len(name) > LONGEST:
        return f"An agent's name has at most {LONGEST} characters."
    if len(parts) not in {2, 3}:
        return f"“{name}” is not function.environment."
    if not FUNCTION.fullmatch(parts[0]):
        return f"“{parts[0]}” is not a function: small letters, digits and single hyphens, a letter first."
    if parts[1] not in ENVIRONMENTS:
        return f"“{parts[1]}” is not an environment: {', '.join(ENVIRONMENTS)}."
    if len(parts) == 3 and not INSTANCE.fullmatch(parts[2]):
        return f"“{parts[2]}” is not an instance: two digits, 01 to 99."
    return ""


def _split_off_environment(word: str) -> list[str]:
    """`support-bot-prod` means `support-bot` in `prod`."""
    function, _, last = word.rpartition("-")
    return [function, last] if function and (last in SHORT_FORMS or last in ENVIRONMENTS) else [word]


def _nearest_environment(word: str) -> str | None:
    if word in SHORT_FORMS:
        return SHORT_FORMS[word]
    near = get_close_matches(word, ENVIRONMENTS, n=1, cutoff=0.6)
    return near[0] if near else None


def _instance(parts: list[str]) -> list[str]:
    digits = re.sub(r"[^0-9]", "", "".join(parts))
    return [f"{int(digits):02d}"] if digits and 0 < int(digits) < 100 else []
