"""Pure: the verbs an action can have, and the Cedar action groups that policies name them by."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SESSION: Final = "sql:session"
"""Statements that only arrange the session (BEGIN, SHOW, an allow-listed SET): they read and write nothing."""

CALL: Final = "app:call"
"""An operation that an agent carries out itself, once it has asked: `context.operation` says which."""

HTTP_READ, HTTP_WRITE = "http:read", "http:write"
"""A request to an API, by whether its method says that it changes nothing."""

GROUPS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sql:read": frozenset({"sql:select"}),
        "sql:write": frozenset(
            {
                "sql:insert",
                "sql:update",
                "sql:delete",
                "sql:merge",
                "sql:truncate",
                "sql:copy_in",
                "sql:lock",
            }
        ),
        "sql:admin": frozenset({"sql:grant", "sql:call"}),
    }
)

VERBS: Final = frozenset().union(*GROUPS.values(), {"sql:ddl", SESSION, CALL, HTTP_READ, HTTP_WRITE})


def groups_of(verb: str) -> frozenset[str]:
    """Name the action groups that hold `verb`; empty for `sql:ddl`, `sql:session`, `app:call`, those of HTTP and what is unknown."""
    return frozenset(group for group, verbs in GROUPS.items() if verb in verbs)
