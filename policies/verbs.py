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

SSH_EXEC, SSH_READ, SSH_WRITE = "ssh:exec", "ssh:read", "ssh:write"
"""A program that a command starts, and a file that it, or a file transfer, reads or writes."""
SSH_UNKNOWN: Final = "ssh:unknown"
"""What of a command cannot be told: no policy allows it without people."""
SSH_TERMINAL: Final = "ssh:terminal"
"""A whole terminal, as one action."""
SSH: Final = frozenset({SSH_EXEC, SSH_READ, SSH_WRITE, SSH_UNKNOWN, SSH_TERMINAL})

MCP_CALL, MCP_READ, MCP_PROMPT = "mcp:call", "mcp:read", "mcp:prompt"
"""What an agent asks of a tool server: to call a tool, to read a resource, to fill in a prompt."""

MCP_SAMPLE, MCP_ELICIT, MCP_ROOTS = "mcp:sample", "mcp:elicit", "mcp:roots"
"""What a tool server asks of an agent while it answers: its model, its user, its folders."""

MCP_SESSION: Final = "mcp:session"
"""Requests that only arrange a session with a tool server (initialize, lists, the level of its log)."""

ARRANGING: Final = frozenset({SESSION, MCP_SESSION})
"""What goes with whatever else of its kind is permitted at a resource."""

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
        "mcp:use": frozenset({MCP_CALL, MCP_READ, MCP_PROMPT}),
    }
)

VERBS: Final = frozenset().union(
    *GROUPS.values(),
    ARRANGING,
    {"sql:ddl", CALL, HTTP_READ, HTTP_WRITE, MCP_SAMPLE, MCP_ELICIT, MCP_ROOTS},
    SSH,
)


def groups_of(verb: str) -> frozenset[str]:
    """Name the action groups that hold `verb`; empty for those that stand alone and for what is unknown."""
    return frozenset(group for group, verbs in GROUPS.items() if verb in verbs)
