"""Entries as OCSF 1.9 events: API Activity, Entity Management and Detection Finding. Pure: no Django, no I/O.

With the profile `ai_operation`, `ai_agent` is the agent that acted. With `record_integrity`, each event carries the SHA-256 of its own
canonical form (RFC 8785, without the fingerprint) and that of the event before it in the file, so that a cut or an edit of the
file shows; `raw_data` is the ledger's leaf, which `metadata.sequence`, its index, leads to in a package of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ledger.entries import canonical
from ledger.events import Event

VERSION = "1.9.0"
API, ENTITY, FINDING = 6003, 3004, 2004
NAMES = {API: "API Activity", ENTITY: "Entity Management", FINDING: "Detection Finding"}
OTHER = 99
ENTITIES = frozenset(["agent", "api_token", "change", "group", "invitation", "key", "ledger_key", "mark", "membership", "person", "policy", "reinstatement", "resource", "role", "secret", "segment", "tag"])  # fmt: skip
FINDINGS = frozenset({"incident", "containment"})
VERBS = {"select": 2, "read": 2, "insert": 1, "update": 3, "delete": 4}
"""API Activity's activities, by the last word of an action's verb."""
ENTITY_ACTIVITIES = {
    "added": 1, "created": 1, "invited": 1, "issued": 1, "proposed": 1, "stored": 1, "changed": 3, "confirmed": 3, "approved": 3,
    "linked": 3, "unlinked": 3, "erased": 3, "joined": 3, "removed": 4, "retired": 4, "revoked": 4, "enrolled": 6, "activated": 10,
    "reactivated": 10, "deactivated": 11, "suspended": 12, "reinstated": 13,
}  # fmt: skip
FINDING_ACTIVITIES = {"opened": 1, "withheld": 1, "resolved": 3}
FAILED = ("denied", "failed", "refused", "uncertain")


class Told(NamedTuple):
    """An entry to tell, by its number in the log: `says` is the leaf, read, with people's names where they are known."""

    number: int
    says: Mapping[str, Any]
    leaf: bytes


class Chain:
    """Events of the log named `log`, each bound to the one before: `previous` is what the next is bound to."""

    def __init__(self, log: str, previous: Mapping[str, Any] | None = None) -> None:
        self._log = log
        self.previous = previous

    def event(self, entry: Told) -> dict[str, Any]:
        """The next event, of an entry."""
        event = _event(entry)
        attestation: dict[str, Any] = {"authority_uid": self._log, "chain_uid": self._log}
        if self.previous is not None:
            attestation["prev_event"] = self.previous
        event["attestation_list"] = [attestation]
        print_of = _fingerprint(canonical(event))
        attestation["fingerprint"] = print_of | {"serialization_id": 2, "serialization": "JCS"}
        self.previous = {"uid": event["metadata"]["uid"], "type_uid": event["type_uid"], "fingerprint": print_of}
        return event


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {
        "algorithm_id": 3,
        "algorithm": "SHA-256",
        "encoding_id": 1,
        "encoding": "Hex",
        "value": sha256(data).hexdigest(),
    }


def _event(entry: Told) -> dict[str, Any]:
    says, name = entry.says, str(entry.says.get("event", ""))
    kind, _, verb = name.partition(":")
    of = ENTITY if kind in ENTITIES else FINDING if kind in FINDINGS else API
    activity = _activity(of, verb, says)
    failed = verb in FAILED
    event: dict[str, Any] = {
        "activity_id": activity, "activity_name": verb, "category_uid": of // 1000, "class_uid": of, "class_name": NAMES[of],
        "type_uid": of * 100 + activity, "severity_id": 3 if of == FINDING else 2 if failed else 1,
        "time": _milliseconds(says.get("occurred")), "message": _meaning(name),
        "metadata": _metadata(entry), "raw_data": entry.leaf.decode("utf-8", "replace"),
        "raw_data_hash": _fingerprint(entry.leaf), "unmapped": dict(says.get("details") or {}),
    }  # fmt: skip
    if of != FINDING:
        event |= {"status_id": 2, "status": "Failure"} if failed else {"status_id": 1, "status": "Success"}
    return event | _agent(says) | {API: _api, ENTITY: _entity, FINDING: _finding}[of](says, name)


def _activity(of: int, verb: str, says: Mapping[str, Any]) -> int:
    if of == ENTITY:
        return ENTITY_ACTIVITIES.get(verb, OTHER)
    if of == FINDING:
        return FINDING_ACTIVITIES.get(verb, 2)
    asked = str((says.get("details") or {}).get("verb", "")).rpartition(":")[2]
    if str(says.get("event")).startswith("actions:") or verb == "read":
        return VERBS["read"]
    return VERBS.get(asked, OTHER)


def _metadata(entry: Told) -> dict[str, Any]:
    return {
        "version": VERSION, "product": {"name": "Narrowgate", "vendor_name": "Narrowgate"},
        "profiles": ["ai_operation", "record_integrity"], "uid": str(entry.says.get("id", entry.number)),
        "sequence": entry.number, "event_code": entry.says.get("event", ""), "log_name": str(entry.says.get("node", "")),
        "logged_time": _milliseconds(entry.says.get("recorded")), "original_time": str(entry.says.get("occurred", "")),
    }  # fmt: skip


def _agent(says: Mapping[str, Any]) -> dict[str, Any]:
    who = says.get("actor") or {}
    if who.get("kind") != "agent":
        return {}
    agent = {"uid": who.get("id", ""), "name": who.get("name", ""), "type_id": 0}
    return {"ai_agent": agent | ({"instance_uid": says["session"]} if says.get("session") else {})}


def _api(says: Mapping[str, Any], name: str) -> dict[str, Any]:
    subject, source = says.get("subject") or {}, says.get("source")
    endpoint = {"ip": source} if source else {"name": str(says.get("node", ""))}
    found = {"actor": _actor(says), "api": {"operation": name}, "src_endpoint": endpoint}
    return found | {
        "resources": [{"name": subject.get("name", ""), "uid": subject.get("id", ""), "type": subject.get("kind", "")}]
    }


def _entity(says: Mapping[str, Any], name: str) -> dict[str, Any]:
    subject = says.get("subject") or {}
    types = {"person": (2, "User"), "group": (3, "Group"), "policy": (5, "Policy")}
    type_id, kind = types.get(subject.get("kind", ""), (OTHER, subject.get("kind", "")))
    entity = {"uid": subject.get("id") or name, "name": subject.get("name", ""), "type_id": type_id, "type": kind}
    comment = str((says.get("details") or {}).get("reason", ""))
    return {"actor": _actor(says), "entity": entity} | ({"comment": comment} if comment else {})


def _finding(says: Mapping[str, Any], name: str) -> dict[str, Any]:
    subject = says.get("subject") or {}
    info = {
        "uid": subject.get("id") or str(says.get("id", "")),
        "title": subject.get("name") or name,
        "desc": _meaning(name),
    }
    return {"finding_info": info, "is_alert": name == Event.INCIDENT_OPENED}


def _actor(says: Mapping[str, Any]) -> dict[str, Any]:
    who = says.get("actor") or {}
    if who.get("kind") == "person":
        return {"user": {"uid": who.get("id", ""), "full_name": who.get("name", "")}}
    return {"app_uid": who.get("id", ""), "app_name": who.get("name") or "unknown"}


def _meaning(name: str) -> str:
    return next((event.meaning for event in Event if event.value == name), name)


def _milliseconds(moment: object) -> int:
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1_000)
    except ValueError:
        return 0
