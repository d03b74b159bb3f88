"""What the details of each kind of entry hold, by version of the event's schema. Pure: no Django, no I/O.

A field without a mark is in every entry of its event, one with `?` in some. Types are JSON's: text, count, flag, list, object;
`…` says that an event's details are the filters of a page, by their names there, besides those named. `words` is what a person typed: the leaf holds a commitment
to it, whose opening is kept beside the log under the key of whoever wrote it: the actor, or whom the field in parentheses names.
A test holds what a gateway and people record against this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ledger.events import Event, schema_of

FILTERS: Final = "… q:words?"
DECIDED: Final = (
    "enforced:flag? operation:text? policies:list question:text? severity:text? snapshot:text tables:list verb:text"
)
OUTCOME: Final = (
    "bytes:count? detected:object? enforced:flag? masked:count rows:count? sent:object? sqlstate:text status:text"
)
SHARED: Final = "count:count root:text"
CHANGED: Final = "change:text? changed:object? group:text?"
NOTHING: Final = ""

FIELDS: Final[Mapping[str, str]] = {
    Event.ABSENCE_ENDED: NOTHING,
    Event.ABSENCE_SAID: "begins:text delegate:text ends:text",
    Event.ACTION_ALLOWED: DECIDED,
    Event.ACTION_DENIED: f"{DECIDED} code:text reason:text",
    Event.ACTION_DONE: OUTCOME,
    Event.ACTION_ERASED: "erasure:text",
    Event.ACTION_FAILED: OUTCOME,
    Event.ACTION_RELEASED: "enforced:flag? grant:text? hold:text node:text reviews:list snapshot:text",
    Event.ACTION_UNCERTAIN: "bytes:count? detected:object? enforced:flag? masked:count? rows:count? sent:object? sqlstate:text? status:text? verb:text?",
    Event.ACTIONS_ALLOWED: SHARED,
    Event.ACTIONS_DONE: SHARED,
    Event.AGENT_CHANGED: f"{CHANGED} because:list? reason:words? risk:object? status:text?",
    Event.AGENT_ACTIVATED: "asked_by:text reason:words(asked_by) reinstatement:text",
    Event.AGENT_ENROLLED: "kid:text owner:text purpose:text segment:text status:text?",
    Event.AGENT_OWNERLESS: "owner:text until:text",
    Event.AGENT_REINSTATED: "asked_by:text reason:words(asked_by) reinstatement:text",
    Event.AGENT_SUSPENDED: "credentials:count reason:words",
    Event.AGENT_UNUSED: "since:text until:text",
    Event.API_TOKEN_CREATED: "expires_at:text scopes:list token:text",
    Event.API_TOKEN_REVOKED: "scopes:list token:text",
    Event.CHANGE_ASKED: "kind:text",
    Event.CHANGE_CONFIRMED: "asked_by:text kind:text",
    Event.CHANGE_DROPPED: "kind:text",
    Event.CHANGE_REFUSED: "code:text tried:text",
    Event.CONTAINMENT_WITHHELD: "kind:text",
    Event.COUNTS_REPAIRED: "hours:count minutes:count",
    Event.CREDENTIAL_ISSUED: "delegation:text? expires_at:text kid:text kind:text on_behalf_of:text? resource:text?",
    Event.CREDENTIAL_REFUSED: "code:text kind:text? reason:text resource:text?",
    Event.CREDENTIAL_REVOKED: "reason:words",
    Event.DELIVERY_RESENT: "channel:text webhook:text?",
    Event.DELEGATION_ENDED: "credentials:count delegation:text reason:words",
    Event.DELEGATION_GRANTED: "delegation:text expires_at:text passes_on:flag purpose:words resource:text verbs:list?",
    Event.DETECTOR_REMOVED: "pattern:text reason:words",
    Event.DETECTOR_WRITTEN: "before:text? everywhere:flag pattern:text strategy:text",
    Event.DETECTORS_SET: "changed:object",
    Event.DEVICE_ADDED: "service:text",
    Event.DEVICE_REMOVED: NOTHING,
    Event.ERASURE_ASKED: "actions:count reason:words sessions:count",
    Event.ERASURE_CONFIRMED: "actions:count asked_by:text",
    Event.ERASURE_DROPPED: NOTHING,
    Event.ERASURE_REFUSED: "code:text",
    Event.EXPORT_MADE: FILTERS,
    Event.GATEWAY_STARTED: NOTHING,
    Event.GATEWAY_STOPPED: NOTHING,
    Event.HALTED: "credentials:count reason:words",
    Event.GLASS_BROKEN: "enforced:flag? passkey:object reason:words",
    Event.GLASS_OVERDUE: "due:text enforced:flag?",
    Event.GLASS_REVIEWED: "enforced:flag? found:words",
    Event.GRANT_GIVEN: "enforced:flag? hold:text most:count scope:text until:text",
    Event.GRANT_REVOKED: "hold:text reason:words",
    Event.GRANT_USED: "enforced:flag? hold:text use:count",
    Event.HOLD_ANSWERED: "enforced:flag? question:text text:words",
    Event.HOLD_APPROVED: "enforced:flag? minutes:count? passkey:object? reason:text? review:text scope:text? times:count? together:list?",
    Event.HOLD_ASKED: "again:flag? deadline:text? enforced:flag? passkey:flag? policies:list? requirement:object resubmits:text? severity:text?",
    Event.HOLD_DENIED: "enforced:flag? reason:text review:text together:list?",
    Event.HOLD_ESCALATED: "enforced:flag? group:text requirement:object",
    Event.HOLD_HANDED: "enforced:flag? instead_of:text? to:text",
    Event.HOLD_EXPIRED: "enforced:flag?",
    Event.HOLD_JOINED: "enforced:flag? joined_by:text",
    Event.HOLD_LAPSED: "because:text? enforced:flag?",
    Event.HOLD_RELEASED: NOTHING,
    Event.HOLD_QUESTIONED: "enforced:flag? question:text text:words",
    Event.HOLD_REMINDED: "enforced:flag?",
    Event.HOLD_RESUBMITTED: "enforced:flag? justification:text",
    Event.HOLD_RETRACTED: "enforced:flag? review:text",
    Event.HOLD_STAGE: "enforced:flag?",
    Event.HOLD_SETTLED: "enforced:flag? status:text",
    Event.HOLD_WITHDRAWN: "because:text? enforced:flag? reason:text?",
    Event.INCIDENT_ACKNOWLEDGED: NOTHING,
    Event.INCIDENT_ASSIGNED: "assignee:text?",
    Event.INCIDENT_CONTAINED: "at:text by:text",
    Event.INCIDENT_NOTED: "note:text text:text",
    Event.INCIDENT_OPENED: "began:text kind:text severity:text",
    Event.INCIDENT_RATED: "after:text before:text",
    Event.INCIDENT_REFUSED: "code:text",
    Event.INCIDENT_RESOLVED: "reason:text",
    Event.INVITATION_ISSUED: "expires_at:text renewed:flag",
    Event.KEY_ADDED: "kid:text",
    Event.KEY_REVOKED: "credentials:count kid:text reason:words",
    Event.LIFTED: "asked_by:text reason:words(asked_by)",
    Event.LIFT_ASKED: "reason:words",
    Event.LEDGER_KEY_CHANGED: "key:text note:text",
    Event.MARK_CHANGED: "after:object before:object?",
    Event.MEMBERSHIP_CHANGED: "change:text group:text?",
    Event.MEMBERSHIP_CONFIRMED: "group:text",
    Event.PASSKEY_ADDED: "credential:text name:words public_key:text",
    Event.PASSKEY_REMOVED: "credential:text",
    Event.PERSON_CHANGED: "changed:list manager:text?",
    Event.PERSON_DEACTIVATED: "api_tokens:count",
    Event.PERSON_ERASED: NOTHING,
    Event.PERSON_INVITED: "roles:list",
    Event.PERSON_JOINED: NOTHING,
    Event.PERSON_LINKED: "after:text before:text other:text",
    Event.PERSON_REACTIVATED: NOTHING,
    Event.PERSON_UNLINKED: "after:text before:text",
    Event.POLICY_ACTIVATED: "bootstrap:flag? commit:text? reason:words? replaces:count? repository:text? rollback:flag? tests:text?",
    Event.POLICY_APPROVED: NOTHING,
    Event.POLICY_PROPOSED: "commit:text? repository:text? tests:text?",
    Event.POLICY_ROLLBACK_OVERDUE: "due:text rollback:text",
    Event.POLICY_ROLLBACK_REVIEWED: "found:words rollback:text",
    Event.POLICY_SHADOW_STOPPED: "since:text",
    Event.POLICY_SIGNED: NOTHING,
    Event.POLICY_TRIED: "against:count? shadow:flag? since:text until:text",
    Event.RECORD_READ: FILTERS,
    Event.REINSTATEMENT_ASKED: "reason:words reinstatement:text",
    Event.REINSTATEMENT_DECLINED: "reason:words reinstatement:text",
    Event.REPORT_ASKED: "asked:object? formats:list kind:text scope:text since:text until:text",
    Event.REPORT_CANCELLED: "why:text?",
    Event.REPORT_FAILED: "why:text?",
    Event.REPORT_MADE: "entries:count files:object kind:text root:text scope:text since:text until:text",
    Event.REPORT_REMOVED: "after_days:count? erasure:text?",
    Event.RESOURCE_ADDED: "database:text host:text kind:text? segment:text",
    Event.RESOURCE_CHANGED: CHANGED,
    Event.RESOURCE_DESCRIBED: "before:text? digest:text operations:count",
    Event.RESOURCE_RETIRED: "credentials:count logins:count reason:words",
    Event.RESOURCE_TRIED: "outcome:text",
    Event.REVIEW_REFUSED: "code:text",
    Event.ROLE_CHANGED: "after:list before:list",
    Event.SECRET_ROTATED: "login:text use:text",
    Event.SECRET_SCHEDULED: "after:count? before:count? login:text use:text",
    Event.SECRET_STORED: "login:text use:text",
    Event.SECRET_USED: "for:text? outcome:text? use:text?",
    Event.SEGMENT_CHANGED: CHANGED,
    Event.SEGMENT_CREATED: "production:flag? purpose:text",
    Event.SEGMENT_UNMARK_ASKED: NOTHING,
    Event.SEGMENT_UNMARK_DROPPED: NOTHING,
    Event.SEGMENT_RETIRED: "reason:words",
    Event.SESSION_CLOSED: "reason:text",
    Event.SESSION_CUT: "agent:text reason:words resource:text",
    Event.SESSION_ERASED: "erasure:text",
    Event.SESSION_OPENED: "credential:text protocol:text",
    Event.SESSION_PROVED: "kid:text",
    Event.SESSION_RENEWED: "credential:text expires_at:text kind:text",
    Event.SESSION_REFUSED: "code:text more:count? reason:text",
    Event.SIGNED_IN: NOTHING,
    Event.SIGNED_OUT: NOTHING,
    Event.SIGN_IN_FAILED: NOTHING,
    Event.TAG_CONFIRMED: "before:object? column:text lookup:flag tag:text",
    Event.TOOL_ACCEPTED: "before:text digest:text kind:text name:text",
    Event.TOOL_COMMAND_SET: "before:list? command:list",
    Event.TOOL_QUARANTINED: "definitions:object",
    Event.TOOL_WITHDRAWN: "before:text kind:text name:text",
    Event.TOOLS_ASKED: NOTHING,
    Event.TAG_REMOVED: "before:object column:text reason:words",
    Event.TOKEN_KEY_CHANGED: "kid:text replaces:text",
    Event.VAULT_KEY_CHANGED: "kept_in:text replaces:text secrets:count",
    Event.WEBHOOK_ADDED: "agents:list? events:list resources:list? url:text",
    Event.WEBHOOK_CHANGED: "changed:object",
    Event.WEBHOOK_PAUSED: NOTHING,
    Event.WEBHOOK_REMOVED: NOTHING,
    Event.WEBHOOK_RESUMED: NOTHING,
    Event.WEBHOOK_SECRET_CHANGED: "before_until:text",
    Event.WEBHOOK_STOPPED: "gone:flag since:text",
    Event.WEBHOOK_TRIED: "delivery:text",
}


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "words": (str,),
    "count": (int, float),
    "flag": (bool,),
    "list": (list, tuple),
    "object": (dict,),
}


def _words_of(fields: str) -> tuple[tuple[str, str], ...]:
    found = (re.fullmatch(r"(\w+):words(?:\((\w+)\))?\??", one) for one in fields.split())
    return tuple((one[1], one[2] or "") for one in found if one)


WORDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    event: found for event, fields in FIELDS.items() if (found := _words_of(fields))
}
"""The fields that hold what a person typed, by event, each with the field that names its writer; empty for the actor."""


def _plain(kind: str) -> str:
    return kind.rstrip("?").partition("(")[0]


def problem_of(event: str, details: Mapping[str, object]) -> str:
    """What in the details of an entry is not as its event's schema has it; empty where nothing is."""
    if FIELDS[event] == FILTERS:
        return ""
    fields = dict(one.split(":") for one in FIELDS[event].split())
    if unknown := sorted(details.keys() - fields.keys()):
        return f"{event} says {unknown[0]}, which its schema does not have"
    for name, kind in fields.items():
        value = details.get(name)
        if value is None:
            if not kind.endswith("?"):
                return f"{event} does not say {name}"
        elif not isinstance(value, _TYPES[_plain(kind)]):
            return f"{event}: {name} is no {_plain(kind)}"
    return ""


def fields_in_words(event: Event) -> str:
    """The fields of an event's details, for the page that documents them."""
    filters = FIELDS[event] == FILTERS
    found = ["what was asked for, by name"] if filters else []
    for one in FIELDS[event].split()[filters:]:
        name, _, kind = one.partition(":")
        found.append(f"`{name}` {_plain(kind)}" + (", or not" if kind.endswith("?") else ""))
    return "; ".join(found)


def page() -> str:
    """The page that documents every event, as Markdown."""
    rows = [
        f"| `{event.value}` | {schema_of(event)} | {event.meaning} | {fields_in_words(event)} |"
        for event in sorted(Event)
    ]
    return "\n".join([*_HEAD, *rows, ""])


_HEAD: Final = (
    "# Events",
    "",
    "Every entry of the ledger names one of these. Besides it an entry has `id`, `node` and `node_seq` (gapless for each node),",
    "`occurred`, `recorded`, `schema` (the version of its details), `actor` and `subject` (each `id`, `kind` and `name`; a person's name is a",
    "commitment, `sha256:…`), and where they apply `session`, `action`, `digest`, `policy_version`, `source`, `on_behalf_of`.",
    "*Words* are what a person typed: a commitment likewise, which is opened until its writer is erased; of Narrowgate's own doing, text.",
    "",
    "| event | schema | an entry of it states | its `details` |",
    "|---|---|---|---|",
)
