"""The page that documents what a policy can read and say, written from the schema's own parts. Pure: no Django, no I/O.

`script/docs` writes it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from policies import moment
from policies.context import CEDAR_TYPES, MAX_CHARACTERS, MAX_VALUES, ON_DEMAND
from policies.parts import DECLARED, WRITTEN, types_of
from policies.schema import text
from policies.terms import KNOWN
from policies.verbs import GROUPS, VERBS, groups_of

VERBS_SAY: Final[Mapping[str, str]] = {
    "app:call": "An operation outside the data path, asked for at `POST /v1/actions` and carried out by the agent itself; `context.operation` says which.",
    "http:read": "A GET, HEAD or OPTIONS request to an API; `context.operation` is the operation's name in the API's description.",
    "http:write": "Any other request to an API; likewise.",
    "ssh:exec": "A program that a command starts at an SSH host; `context.operation` is its name. Each program of a command is asked about alone.",
    "ssh:read": "A file that is opened for reading, by a redirection or a file transfer: `context.args.path`.",
    "ssh:terminal": "A whole terminal: one action, whatever is typed in it. It is recorded byte for byte.",
    "ssh:unknown": "What of a command cannot be told before it runs. Permit it and hold it: where no policy holds it for people, it is denied.",
    "ssh:write": "A file that is opened for writing, made, changed or removed; likewise.",
    "mcp:call": "Calls a tool of a tool server; `context.operation` is the tool's name, `context.args` its arguments.",
    "mcp:elicit": "A tool server asks the agent's user something while it answers.",
    "mcp:prompt": "Fills in a prompt of a tool server; `context.operation` is the prompt's name.",
    "mcp:read": "Reads a resource of a tool server, or watches it: `context.args.uri`. Completions too.",
    "mcp:roots": "A tool server asks for the agent's folders while it answers.",
    "mcp:sample": "A tool server uses the agent's model while it answers.",
    "mcp:session": "Only arranges a session with a tool server: initialize, lists, the level of its log. It goes with any permit the agent has at the resource.",
    "sql:call": "Calls a function that is not on the gate's list of harmless ones, or a procedure.",
    "sql:copy_in": "COPY … FROM STDIN.",
    "sql:ddl": "Makes, changes or drops what the database is made of: CREATE, ALTER, DROP, COMMENT and their like.",
    "sql:delete": "DELETE.",
    "sql:grant": "GRANT and REVOKE.",
    "sql:insert": "INSERT.",
    "sql:lock": "LOCK TABLE, and SELECT … FOR UPDATE and its like.",
    "sql:merge": "MERGE.",
    "sql:select": "Reads: SELECT, TABLE, VALUES, COPY … TO STDOUT, EXPLAIN of a read.",
    "sql:session": "Only arranges the session: BEGIN, COMMIT, SHOW, an allowed SET. It goes with any permit the agent has at the resource.",
    "sql:truncate": "TRUNCATE.",
    "sql:update": "UPDATE.",
}
CONTEXT_SAYS: Final[Mapping[str, str]] = {
    "args": "The arguments of the operation, as in `context.args.amount > 1000`; those of a request to an API are in `args.path`, `args.query` and `args.body`; of a program in `args.program`, `args.command`, `args.arguments`, `args.fixed`, `args.through` and `args.directory`; of a file in `args.path`; the bound parameters of a statement in `args.p1`, `args.p2` and so on, `args.count` of them (constants within its text are not there: `unless { context has args && context.args has p1 && … }` insists on parameters). Which there are, and of what kind, each policy says by how it uses them; an argument of another kind denies. Fractions, null and lists of anything but texts are read as their JSON text.",
    "claimed": "What the agent says about itself: `claimed.purpose`. Never proof of anything.",
    "columns": 'The columns that are read or written, as `"public.customers.email"`.',
    "credential": 'How the agent proved who it is: `"svid"` is a client certificate, `"mtls"` a token bound to one, `"dpop"` a token bound to a key, `"bearer"` a token bound to nothing.',
    "credential_age": 'How long ago its credential was issued, to the minute: `context.credential_age < duration("5m")`.',
    "environment": "The agent's environment, as it is registered.",
    "on_behalf_of": "The user name of the person who let the agent act for them, here and now: proved by a delegation, never a claim.",
    "operation": 'The operation that is asked for, as `"payments.transfer"`.',
    "purpose": "The agent's purpose, as it is registered.",
    "rows_estimated": "How many rows the resource's planner expects it to read or change: its figure, no count. Where it cannot say, the action is denied.",
    "shape": "The statement without its constants, as a fingerprint.",
    "source": 'The address the agent connects from: `context.source.isInRange(ip("10.0.0.0/8"))`.',
    "tables": 'The tables that are read or written, as `"public.customers"`.',
    "tagged": 'Which of those columns have which tag, as `"public.customers.email email"`; a policy of columns has it in `resource.tags`.',
    "tags": "The tags of those columns.",
    "where": "Whether every UPDATE and DELETE in the statement has a WHERE.",
}
PARTS_SAY: Final[Mapping[str, str]] = {
    "Schema": "A schema of a database, in its resource; has `name`.",
    "Table": "A table or view, in its schema; has `name`, without the schema.",
    "Column": "A column, in its table; has `name` and `tags`. Only forbidden, never permitted.",
    "Operation": "An operation of an API, by its name in the API's description, or one that an agent asks for; has `name`.",
    "Tool": "A tool of a tool server; has `name`.",
    "Path": 'A file or directory of a host, in the directories above it; has `name`, the whole path. `Path::"web-1/"` is the root.',
}
OURS_SAY: Final[Mapping[str, str]] = {
    "risk": 'The agent\'s risk, `score` from 0 to 100 and `band`: `"quiet"`, `"low"`, `"raised"`, `"high"` or `"severe"`.',
    "session": "What this session did before this action: how many `actions` it asked for, `rows` and `bytes` that came back.",
    "time": 'When it is decided, in UTC: `now` to the minute, `hour` from 0 to 23, `weekday` as `"monday"`. Elsewhere: `context.time.now.offset(duration("2h"))`.',
}
NOTES_SAY: Final[Mapping[str, tuple[str, str]]] = {
    "id": ('@id("name")', "Required, and unique in a version."),
    "why": ('@why("sentence")', "Shown to people and to the agent."),
    "hold": (
        '@hold("dba:2, security:1")',
        "On a forbid: groups, and how many distinct people of each. `dba\\|oncall:1` is either, `dba:1 then security:1` an order, `@data-owner:1` whoever owns the resource, `@owner-manager:1` the manager of the agent's owner, `dba:2 not trainees` leaves a group out.",
    ),
    "ttl": ('@ttl("15m")', "How long a hold waits: s, m or h, at most 24h; 15 minutes where nothing is said."),
    "escalate": (
        '@escalate("oncall after 10m")',
        "On a forbid with @hold: a group that may fill every seat as well, once it has waited so long. Where several holds apply, all have to name the group; the latest time counts.",
    ),
    "severity": (
        '@severity("high")',
        "On a forbid: low, medium, high or critical. The queue shows it, and what is graver comes sooner.",
    ),
    "breakglass": (
        '@breakglass("oncall")',
        "On a forbid with @hold: groups of which one person alone may let it through in an emergency. Where several holds apply, all have to name the group.",
    ),
    "passkey": (
        '@passkey("required")',
        "On a forbid with @hold: each approval is signed with the reviewer's passkey, over exactly what is approved. Such an approval is for once.",
    ),
    "unmask": ('@unmask("email")', "On a permit: the tags whose values stay readable."),
    "limit": ('@limit("1000")', "On a permit: the most rows that come back."),
    "proof": (
        '@proof("60s")',
        "On a permit, or on a forbid with @hold: how long ago, at most, the agent has to have proved that it holds its key when the action is released; at most 1h. The shortest counts.",
    ),
}
HEAD: Final = """# What a policy can read

Everything a policy can name, from the schema that every version is checked against. [Writing policies](policy.md) shows how it is used.
"""


def page() -> str:
    """The page, as Markdown."""
    return HEAD + "".join([*_who(), *_parts(), *_verbs(), *_groups(), *_context(), *_annotations(), _schema()])


def _who() -> Iterator[str]:
    yield "\n## Who and where\n\n| | |\n|---|---|\n"
    yield "| `principal` | an `Agent`, in a `Function` (the first part of its name) and a `Segment`; has `name`, `environment`, `purpose` |\n"
    yield "| `action` | one verb, in its groups; a statement with several verbs is asked about each |\n"
    yield "| `resource` | a `Resource`, in a `Segment`; has `name`, `kind`; or a part of one |\n"


def _parts() -> Iterator[str]:
    yield "\n## Parts of a resource\n\nA policy whose head names one, or says `resource is Table` and the like, is asked about each that an action touches. "
    yield "Every part touched has to be permitted. [How that is decided](policy.md#12-permit-parts-of-a-resource).\n\n"
    yield "| part | verbs | what it is |\n|---|---|---|\n"
    for kind in DECLARED:
        verbs = [verb for verb in sorted(VERBS) if kind in types_of(verb)]
        yield f'| `{kind}::"{WRITTEN[kind]}"` | {", ".join(f"`{verb}`" for verb in verbs)} | {PARTS_SAY[kind]} |\n'


def _verbs() -> Iterator[str]:
    yield "\n## Verbs\n\nA statement has every verb that is found anywhere in it, and each has to be permitted.\n\n"
    yield "| verb | in | what it is |\n|---|---|---|\n"
    for verb in sorted(VERBS):
        groups = ", ".join(f"`{group}`" for group in sorted(groups_of(verb))) or "no group"
        yield f"| `{verb}` | {groups} | {VERBS_SAY[verb]} |\n"


def _groups() -> Iterator[str]:
    yield "\n## Groups of verbs\n\n| group | verbs |\n|---|---|\n"
    for group in sorted(GROUPS):
        yield f"| `{group}` | {', '.join(f'`{verb}`' for verb in sorted(GROUPS[group]))} |\n"


def _context() -> Iterator[str]:
    yield "\n## Context\n\nAll of it is optional: ask `context has x` first, or the check refuses the policy.\n\n"
    yield "| `context.` | type | what it says |\n|---|---|---|\n"
    for name in sorted(CEDAR_TYPES):
        yield f"| `{name}` | `{CEDAR_TYPES[name]}` | {CONTEXT_SAYS[name]} |\n"
    yield "\nOnly the gate says these; whoever else supplies one is refused.\n\n"
    yield "| `context.` | type | what it says |\n|---|---|---|\n"
    yield "| `approval` | `Bool` | People have approved it. Ask only `unless { context has approval }`. |\n"
    for name in sorted(moment.TYPES):
        yield f"| `{name}` | `{moment.TYPES[name]}` | {OURS_SAY[name]} |\n"
    some = ", ".join(f"`{name}`" for name in sorted(ON_DEMAND))
    yield f"\n{some} differ from one action to the next. They are said, and kept with the decision, where a policy that can match looks at them.\n"
    yield f"A request with more than {MAX_VALUES:,} values or {MAX_CHARACTERS:,} characters in its context is denied.\n"


def _annotations() -> Iterator[str]:
    yield "\n## Annotations\n\n| | |\n|---|---|\n"
    for form, says in (NOTES_SAY[name] for name in KNOWN):
        yield f"| `{form}` | {says} |\n"
    yield "\nAny other is refused when the policies are checked, with the line and what was probably meant.\n"


def _schema() -> str:
    return f"\n## The schema\n\n```cedar\n{text()}```\n"
