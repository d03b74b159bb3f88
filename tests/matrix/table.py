"""Who may do what at every address of the console. Whoever is not named gets 404: for them it is not there.

R reviewer, C CISO, A auditor, E platform engineer, O owner, M administrator; X is somebody without a role. `told`
are those who see the thing and are told which rule keeps it from them (403). Bodies are good ones: it is the
person that is refused, not what they typed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EVERYBODY, ROLES = "RCAEOMX", "RCAEOM"
READERS = "CAEM"
WHY = {"reason": "Asked by the matrix"}
QUESTION = {
    "subject": {"type": "agent", "id": "support.production"},
    "action": {"name": "sql:select"},
    "resource": {"type": "resource", "id": "shop"},
}
TAGGED = {"schema": "public", "table": "customers", "column": "ssn", **WHY}


@dataclass(frozen=True)
class Row:
    """One method of one address."""

    method: str
    route: str
    may: str
    body: dict[str, Any] = field(default_factory=dict)
    told: str = ""


def _pages(*rows: tuple[str, str]) -> list[Row]:
    return [Row("get", route, may) for route, may in rows]


def _posts(*rows: tuple[Any, ...]) -> list[Row]:
    return [Row("post", *row) for row in rows]


PEOPLE = [
    *_pages(
        ("account/", EVERYBODY), ("account/delegations/", EVERYBODY),
        ("people/", "CAM"), ("people/export.csv", "CAM"), ("people/<str:username>/", "CAM"),
        ("groups/", "CAM"), ("groups/<str:name>/", "CAM"),
        ("invite/", "M"), ("people/<str:username>/edit/", "M"), ("people/<str:username>/invitation/", "M"),
        ("people/<str:username>/deactivate/", "M"), ("people/<str:username>/reactivate/", "M"),
        ("people/<str:username>/link/", "M"), ("people/<str:username>/unlink/", "M"), ("people/<str:username>/erase/", "M"),
        ("people/<str:username>/recover/", "M"),
    ),
    *_posts(
        ("account/", EVERYBODY), ("account/delegations/", EVERYBODY),
        ("account/delegations/<uuid:delegation_id>/end/", "CEO"), ("account/tokens/<uuid:token_id>/revoke/", "M"),
        ("invite/", "M"), ("people/<str:username>/edit/", "M"), ("people/<str:username>/join/", "M"),
        ("people/<str:username>/invitation/", "M"), ("people/<str:username>/deactivate/", "M", WHY),
        ("people/<str:username>/reactivate/", "M", WHY), ("people/<str:username>/link/", "M"), ("people/<str:username>/unlink/", "M"),
        ("people/<str:username>/erase/", "M"), ("people/<str:username>/recover/", "M"),
        ("people/changes/<uuid:change_id>/confirm/", "M"), ("people/changes/<uuid:change_id>/drop/", "M"),
        ("people/memberships/<int:membership_id>/confirm/", "M"), ("people/memberships/<int:membership_id>/end/", "M"),
        ("groups/", "M"), ("groups/<str:name>/add/", "M"), ("groups/<str:name>/let-review/", "M"),
        ("groups/<str:name>/stop-review/", "M", {"kind": "segment", "name": "production"}),
    ),
]  # fmt: skip

INVENTORY = [
    *_pages(
        ("agents/", ROLES), ("agents/<str:name>/", ROLES), ("agents/enrol/", "E"),
        ("agents/<str:name>/suspend/", "CEOM"), ("agents/<str:name>/reinstate/", "CEO"), ("agents/<str:name>/retire/", "E"),
        ("resources/", "EM"), ("resources/r/<slug:name>/", "EM"), ("resources/segments/", "EM"),
        ("resources/add/", "E"), ("resources/r/<slug:name>/edit/", "E"), ("resources/r/<slug:name>/login/", "E"),
        ("start/", "EM"), ("resources/r/<slug:name>/login/<slug:use>/rotate/", "E"), ("<what:what>/file/", "E"),
        ("resources/detectors/", "EM"), ("resources/detectors/write/", "E"), ("resources/detectors/<slug:name>/remove/", "E"), ("resources/r/<slug:name>/detectors/", "EM"),
        ("resources/r/<slug:server>/tools/", "EM"), ("resources/r/<slug:server>/tools/command/", "M"),
        ("agents/<str:name>/permissions/", ROLES), ("agents/credentials/", ROLES), ("resources/r/<slug:name>/reach/", READERS), ("resources/segments/map/", READERS),
    ),
    *_posts(
        ("resources/r/<slug:name>/login/<slug:use>/rotate/", "E"), ("api/v1/resources/<str:name>/secret/rotate", "E"),
        ("<what:what>/file/", "E"), ("<what:what>/file/<str:form>/", "EM"),
        ("agents/enrol/", "E"), ("agents/<str:name>/suspend/", "CEOM", WHY),
        ("agents/views/save/", ROLES), ("agents/views/<int:view_id>/forget/", "C"),
        ("agents/<str:name>/reinstate/", "CEO", WHY), ("agents/<str:name>/retire/", "E", WHY),
        ("resources/add/", "E"), ("resources/segments/", "E", {"name": "clinic"}), ("resources/segments/reviewers/", "M"),
        ("resources/r/<slug:name>/edit/", "E"), ("resources/r/<slug:name>/login/", "E"), ("resources/r/<slug:name>/test/", "E"),
        ("resources/r/<slug:name>/scan/", "E"), ("resources/r/<slug:name>/tags/", "E"),
        ("resources/detectors/write/", "E"), ("resources/detectors/<slug:name>/remove/", "E", WHY), ("resources/r/<slug:name>/detectors/", "E"),
        ("resources/r/<slug:server>/tools/read/", "E"), ("resources/r/<slug:server>/tools/accept/", "E"), ("resources/r/<slug:server>/tools/withdraw/", "E"),
        ("resources/r/<slug:server>/tools/command/", "M", {"command": "/bin/true"}),
    ),
]  # fmt: skip

POLICIES = [
    *_pages(
        ("policies/", "RCAEM"), ("policies/<int:number>/", "RCAEM"),
        ("policies/new/", "EM"), ("policies/intakes/<uuid:intake_id>/", "E"), ("policies/intakes/<uuid:intake_id>/progress/", "E"), ("policies/<int:number>/rollback/", "EM"),
        ("policies/packs/", "RCAEM"), ("policies/packs/<slug:name>/", "RCAEM"),
        ("policies/<int:number>/worth-a-look/", "RCAEM"), ("policies/<int:number>/trials/<uuid:trial_id>/", "CAEM"), ("policies/<int:number>/trials/<uuid:trial_id>/progress/", "CAEM"),
    ),
    *_posts(
        ("policies/fetch/", "", {}, "EM"), ("policies/new/check/", "EM", {"text": "a policy"}), ("policies/<int:number>/try/", "CEM", {"period": "7d"}), ("policies/<int:number>/trials/<uuid:trial_id>/stop/", "CEM"),
        ("policies/new/", "EM"), ("policies/<int:number>/propose/", "EM"), ("policies/<int:number>/approve/", "CEM"),
        ("policies/<int:number>/activate/", "EM"), ("policies/<int:number>/rollback/", "EM", WHY),
        ("policies/rollbacks/<uuid:rollback_id>/review/", "CEM", {"found": "It was right"}),
    ),
]  # fmt: skip

WORK = [
    *_pages(
        ("", EVERYBODY),
        ("queue/", ROLES), ("queue/list/", ROLES), ("queue/<uuid:hold_id>/", ROLES),
        ("queue/grants/", ROLES), ("queue/<uuid:hold_id>/wider/", ROLES), ("queue/glass/", ROLES),
        ("queue/figures/", ROLES), ("queue/away/", ROLES), ("api/v1/holds/<uuid:pk>/questions", ROLES), ("queue/<uuid:hold_id>/alike/", ROLES),
        ("posture/", "C"), ("posture/marks/", "C"), ("posture/decisions/", "CA"), ("posture/steps/<slug:slug>/", "C"),
        ("incidents/", "CAEOM"), ("incidents/<uuid:incident_id>/", "CAEOM"), ("incidents/signals/", ROLES),
        ("incidents/<uuid:incident_id>/contain/", "C"),
    ),
    *_posts(
        ("queue/<uuid:hold_id>/approve/", "R", {"digest": "its own"}, "CAEOM"),
        ("queue/<uuid:hold_id>/alike/decide/", ROLES),
        ("queue/away/", ROLES), ("queue/away/back/", ROLES),
        ("queue/<uuid:hold_id>/ask/", "R", {"text": "Why?"}, "CAEOM"), ("queue/<uuid:hold_id>/answer/<uuid:question_id>/", "O", {"text": "So"}, "RCAEM"),
        ("api/v1/holds/<uuid:pk>/questions", "R", {"text": "Why?"}, "CAEOM"), ("api/v1/holds/<uuid:pk>/questions/<uuid:question>/answer", "O", {"text": "So"}, "RCAEM"),
        ("queue/<uuid:hold_id>/challenge/", "", {"verdict": "approve"}, "RCAEOM"),
        ("queue/<uuid:hold_id>/hand-over/", "R", {"to": "00000000-0000-0000-0000-000000000000"}, "CAEOM"),
        ("queue/<uuid:hold_id>/break/", "", {"digest": "its own", **WHY}, "RCAEOM"), ("queue/<uuid:hold_id>/look/", "", {"found": "Right"}, "RCAEOM"),
        ("queue/<uuid:hold_id>/deny/", "R", {"digest": "its own", "why": "Not now"}, "CAEOM"),
        ("queue/<uuid:hold_id>/retract/", "", {}, "RCAEOM"), ("queue/<uuid:hold_id>/withdraw/", "O", WHY, "RCAEM"), ("queue/grants/<uuid:grant_id>/revoke/", "RCEOM", WHY, "A"),
        ("posture/marks/", "C"),
        ("incidents/export/", "CAEOM"), ("incidents/<uuid:incident_id>/acknowledge/", "C"),
        ("incidents/<uuid:incident_id>/severity/", "C", {"severity": "low"}), ("incidents/<uuid:incident_id>/contain/", "C", WHY),
        ("incidents/<uuid:incident_id>/assign/", "C", {"assignee": "cleo"}), ("incidents/<uuid:incident_id>/note/", "C", {"text": "Seen"}),
        ("incidents/<uuid:incident_id>/resolve/", "C", WHY),
    ),
]  # fmt: skip

RECORD = [
    *_pages(
        ("record/", ROLES), ("record/sessions/<uuid:session_id>/", ROLES), ("record/actions/", ROLES), ("record/actions/<uuid:action_id>/", ROLES), ("record/actions/<uuid:action_id>/again/", "RCAEM"),
        ("record/sessions/<uuid:session_id>/cut/", "CE"),
        ("record/ledger/", READERS), ("record/ledger/<int:index>/", READERS), ("ledger/tile/entries/<path:place>", READERS),
        ("record/ledger/from/<int:after>/", READERS),
        ("record/erasures/", READERS), ("record/erasures/<uuid:erasure_id>/", READERS),
        ("record/sessions/<uuid:session_id>/erase/", "AM"), ("record/actions/<uuid:action_id>/erase/", "AM"), ("record/actions/erase/", "AM"),
    ),
    *_posts(
        ("record/sessions/export/", ROLES), ("record/actions/export/", ROLES), ("record/evidence/", READERS), ("record/ledger/export/", READERS),
        ("record/sessions/<uuid:session_id>/cut/", "CE", WHY),
        ("record/sessions/<uuid:session_id>/erase/", "AM", WHY), ("record/actions/<uuid:action_id>/erase/", "AM", WHY), ("record/actions/erase/", "AM", WHY),
        ("record/erasures/<uuid:erasure_id>/confirm/", "M"), ("record/erasures/<uuid:erasure_id>/drop/", "AM"),
    ),
]  # fmt: skip

# Lists of the API are there for everybody with a token, and hold what each may see: for somebody without a role, nothing.
_LISTS = (
    "agents",
    "credentials",
    "resources",
    "segments",
    "sessions",
    "actions",
    "holds",
    "grants",
    "policies",
    "incidents",
    "ledger/entries",
)
API = [
    *_pages(
        ("api/schema/", EVERYBODY), *((f"api/v1/{name}", EVERYBODY) for name in _LISTS),
        *((f"api/v1/{kind}/<str:name>/history", ROLES) for kind in ("agents", "resources", "segments")),
        ("api/v1/agents/<str:name>", ROLES), ("api/v1/agents/<str:name>/keys", ROLES), ("api/v1/credentials/<uuid:pk>", ROLES),
        ("api/v1/resources/<str:name>", ROLES), ("api/v1/resources/<str:name>/tags", ROLES), ("api/v1/resources/<str:name>/description", ROLES),
        ("api/v1/segments/<str:name>", ROLES), ("api/v1/segments/<str:name>/reviewers", ROLES),
        ("api/v1/sessions/<uuid:pk>", ROLES), ("api/v1/sessions/<uuid:pk>/replay", ROLES), ("api/v1/actions/<uuid:pk>", ROLES), ("api/v1/actions/<uuid:pk>/decision", "RCAEM"), ("api/v1/holds/<uuid:pk>", ROLES), ("api/v1/grants/<uuid:pk>", ROLES),
        ("api/v1/agents/<str:name>/permissions", ROLES), ("api/v1/resources/<str:name>/reach", READERS), ("api/v1/crossings", READERS),
        ("api/v1/files/<str:what>", "EM"),
        ("api/v1/policies/<int:number>", "RCAEM"), ("api/v1/policies/<int:number>/bundle", "RCAEM"), ("api/v1/policies/packs", EVERYBODY), ("api/v1/policies/intakes/<uuid:intake>", "E"), ("api/v1/policies/<int:number>/trials/<uuid:trial>", "CAEM"), ("api/v1/policies/<int:number>/trials", "RCAEM"), ("api/v1/incidents/<uuid:pk>", "CAEOM"),
        ("api/v1/ledger/entries/<int:pk>", READERS), ("api/v1/ledger/checkpoint", READERS), ("api/v1/ledger/proof", READERS),
    ),
    *_posts(
        ("api/v1/agents", "E", {"name": "billing.production", "purpose": "Bills", "segment": "production", "owner": "olga", "public_jwk": {"kty": "a new one"}}),
        ("api/v1/files/<str:what>", "E", {"text": '[{"name": "support.production"}]'}),
        ("api/v1/agents/<str:name>/keys", "E", {"public_jwk": {"kty": "a new one"}}),
        ("api/v1/agents/<str:name>/keys/<str:kid>/revoke", "CEOM", WHY), ("api/v1/ledger/evidence", READERS),
        ("api/v1/agents/<str:name>/suspend", "CEOM", WHY), ("api/v1/agents/<str:name>/reinstate", "CEO", WHY),
        ("api/v1/agents/<str:name>/retire", "E", WHY), ("api/v1/credentials/<uuid:pk>/revoke", "CEOM", WHY),
        ("api/v1/resources", "E", {"name": "crm", "segment": "production", "host": "localhost", "database": "crm", "tls": "off"}),
        ("api/v1/resources/<str:name>/tags", "E", {"schema": "public", "table": "t", "column": "ssn", "tag": "ssn"}),
        ("api/v1/resources/<str:name>/scan", "E"), ("api/v1/resources/<str:name>/test", "E"),
        ("api/v1/segments", "E", {"name": "clinic"}), ("api/v1/segments/<str:name>/reviewers", "M", {"group": "dba"}),
        ("api/v1/sessions/<uuid:pk>/cut", "CE", WHY),
        ("api/v1/holds/<uuid:pk>/approve", "R", {"digest": "its own"}, "CAEOM"),
        ("api/v1/holds/challenge", "", {"holds": ["00000000-0000-0000-0000-000000000000"], "verdict": "approve"}),
        ("api/v1/holds/<uuid:pk>/break-glass", "", {"digest": "its own", "passkey": "{}", **WHY}, "RCAEOM"), ("api/v1/holds/<uuid:pk>/look-at-glass", "", {"found": "Right"}, "RCAEOM"),
        ("api/v1/holds/decide-alike", "", {"holds": [{"id": "00000000-0000-0000-0000-000000000000", "digest": "x"}], "verdict": "approve"}),
        ("api/v1/holds/<uuid:pk>/hand-over", "R", {"to": "nobody"}, "CAEOM"),
        ("api/v1/holds/<uuid:pk>/deny", "R", {"digest": "its own", **WHY}, "CAEOM"),
        ("api/v1/holds/<uuid:pk>/retract", "", {}, "RCAEOM"), ("api/v1/holds/<uuid:pk>/withdraw", "O", WHY, "RCAEM"), ("api/v1/grants/<uuid:pk>/revoke", "RCEOM", WHY, "A"),
        ("api/v1/policies", "EM", {"text": "a policy"}), ("api/v1/policies/check", "CEM", {"text": "a policy"}),
        ("access/v1/evaluation", "EM", QUESTION), ("access/v1/evaluations", "EM", QUESTION),
        *((f"access/v1/search/{kind}", "EM", QUESTION) for kind in ("subject", "resource", "action")),
        ("api/v1/policies/test", "CEM", {"text": "a policy", "tests": "cases: []"}), ("api/v1/policies/differences", "CEM", {"text": "a policy"}), ("api/v1/policies/<int:number>/trials", "CEM", {"period": "7d"}),
        ("api/v1/policies/<int:number>/trials/<uuid:trial>/stop", "", {}, ""),  # it is no shadow
        ("api/v1/policies/install", "", {"text": "a policy"}, "EM"), ("api/v1/policies/fetch", "", {}, "EM"), ("api/v1/policies/<int:number>/propose", "EM"),
        ("api/v1/policies/<int:number>/approve", "CEM"), ("api/v1/policies/<int:number>/activate", "EM"),
        ("api/v1/policies/<int:number>/rollback", "EM", WHY), ("api/v1/policies/<int:number>/review-rollback", "CEM", {"found": "It was right"}),
        ("api/v1/incidents/<uuid:pk>/acknowledge", "C"), ("api/v1/incidents/<uuid:pk>/assign", "C", {"assignee": "cleo"}),
        ("api/v1/incidents/<uuid:pk>/contain", "C", WHY), ("api/v1/incidents/<uuid:pk>/note", "C", {"text": "Seen"}),
        ("api/v1/incidents/<uuid:pk>/resolve", "C", WHY), ("api/v1/incidents/<uuid:pk>/severity", "C", {"severity": "low"}),
    ),
    Row("patch", "api/v1/resources/<str:name>", "E", {"port": 5433}),
    Row("put", "api/v1/resources/<str:name>/secret/schedule", "E", {"days": 30}),
    Row("put", "api/v1/resources/<str:name>/description", "E", {"document": "{}"}),
    Row("put", "api/v1/resources/<str:name>/secret", "E", {"user": "a", "password": "b"}),
]  # fmt: skip

POSTURE = [
    *_pages(
        ("api/v1/posture", "C"), ("api/v1/posture/steps/<str:slug>", "C"), ("api/v1/posture/decisions", "CA"), ("api/v1/posture/marks", "C"),
        ("api/v1/signals", EVERYBODY), ("api/v1/signals/<uuid:pk>", ROLES), ("api/v1/incidents/<uuid:pk>/timeline", "CAEOM"),
        ("api/v1/agents/<str:name>/risk", ROLES),
    ),
    Row("put", "api/v1/posture/marks/<str:figure>", "C", {"baseline": None, "target": 60}),
]  # fmt: skip

DETECTORS = [
    *_pages(("api/v1/detectors", "EM"), ("api/v1/resources/<str:name>/detectors", "EM")),
    Row("put", "api/v1/detectors/<str:name>", "E", {"title": "A number", "pattern": "CU-[0-9]{6}", "sample": "CU-123456"}),
    Row("delete", "api/v1/detectors/<str:name>", "E", WHY),
    Row("patch", "api/v1/resources/<str:name>/detectors", "E", {"detectors": {"email": "redact"}}),
]  # fmt: skip

TOOLS = [
    *_pages(("api/v1/resources/<str:name>/tools", "EM")),
    *_posts(
        ("api/v1/resources/<str:name>/tools/read", "E"), ("api/v1/resources/<str:name>/tools/accept", "E", {"definitions": []}),
        ("api/v1/resources/<str:name>/tools/withdraw", "E"),
    ),
    Row("put", "api/v1/resources/<str:name>/tools/command", "M", {"command": ["/bin/true"]}),
]  # fmt: skip

ACCOUNT = [
    *_pages(
        ("api/v1/account", EVERYBODY), ("api/v1/account/tokens", EVERYBODY), ("api/v1/account/tokens/<uuid:pk>", "M"),
        ("api/v1/views", EVERYBODY), ("api/v1/views/<int:pk>", "C"),
    ),
    *_posts(
        ("api/v1/account/tokens/<uuid:pk>/revoke", "M"), ("api/v1/views", ROLES, {"name": "Mine", "query": "sort=name"}),
    ),
    Row("delete", "api/v1/views/<int:pk>", "C"),
    Row("get", "api/v1/absence", ""), Row("delete", "api/v1/absence", ""),
    Row("put", "api/v1/absence", EVERYBODY, {"delegate": "nobody", "begins": "2026-01-01T00:00:00Z", "ends": "2026-01-02T00:00:00Z"}),
    Row("put", "api/v1/notifications/choices", EVERYBODY, {"shown": [], "mailed": [], "quiet_from": None, "quiet_until": None, "zone": "UTC"}),
]  # fmt: skip

NOTIFICATIONS = [
    *_pages(
        ("notifications/", EVERYBODY), ("rail/", EVERYBODY), ("notifications/choices/", EVERYBODY),
        ("notifications/<uuid:notification_id>/", "R"),
        ("api/v1/notifications", EVERYBODY), ("api/v1/notifications/<uuid:pk>", "R"),
        ("api/v1/notifications/choices", EVERYBODY), ("api/v1/devices", EVERYBODY), ("api/v1/devices/<uuid:pk>", "R"),
    ),
    *_posts(
        ("notifications/choices/", EVERYBODY), ("notifications/read/", EVERYBODY),
        ("notifications/devices/", EVERYBODY), ("notifications/devices/<uuid:device_id>/remove/", "R"),
        ("notifications/<uuid:notification_id>/read/", "R"), ("notifications/<uuid:notification_id>/unread/", "R"),
        ("api/v1/notifications/read-all", EVERYBODY), ("api/v1/notifications/<uuid:pk>/read", "R"),
        ("api/v1/notifications/<uuid:pk>/unread", "R"), ("api/v1/devices", EVERYBODY),
    ),
    Row("delete", "api/v1/devices/<uuid:pk>", "R"),
]  # fmt: skip

REPORTS = [
    *_pages(
        ("record/reports/", "CA"), ("record/reports/new/", "CA"), ("record/reports/<uuid:report_id>/", "CA"),
        ("record/reports/<uuid:report_id>/progress/", "CA"),
        ("api/v1/reports", EVERYBODY), ("api/v1/reports/<uuid:pk>", "CA"), ("api/v1/erasures", EVERYBODY), ("api/v1/erasures/<uuid:pk>", READERS),
        ("api/v1/reports/<uuid:pk>/progress", "CA"), ("api/v1/reports/<uuid:pk>/files/<str:name>", "CA"),
    ),
    *_posts(
        ("record/reports/new/", "CA"), ("record/reports/<uuid:report_id>/cancel/", "CA"),
        ("record/reports/<uuid:report_id>/files/<str:name>/", "CA"),
        ("api/v1/reports", "CA", {"kind": "oversight", "period": "7d", "formats": ["csv"]}), ("api/v1/reports/entries", "CA", {"formats": ["csv"]}),
        ("api/v1/reports/<uuid:pk>/cancel", "CA"),
        ("api/v1/erasures", "AM", WHY),
        ("api/v1/erasures/<uuid:pk>/confirm", "M"), ("api/v1/erasures/<uuid:pk>/drop", "AM"),
    ),
]  # fmt: skip

CHANGES = [
    *_pages(
        ("agents/<str:name>/edit/", "E"), ("agents/<str:name>/revoke/", "CEOM"),
        ("agents/<str:name>/keys/add/", "E"), ("agents/<str:name>/keys/<str:kid>/revoke/", "CEOM"),
        ("resources/segments/<slug:name>/edit/", "EM"), ("resources/segments/<slug:name>/retire/", "E"),
        ("resources/r/<slug:name>/retire/", "E"),
        ("api/v1/reinstatements", EVERYBODY), ("api/v1/reinstatements/<uuid:pk>", ROLES),
        ("api/v1/people", EVERYBODY), ("api/v1/people/<str:username>", "CAEOM"),
        ("api/v1/groups", EVERYBODY), ("api/v1/groups/<str:name>", "RCAEM"), ("api/v1/groups/<str:name>/reviews", "RCAEM"),
        ("api/v1/changes", EVERYBODY), ("api/v1/changes/<uuid:pk>", "M"),
        ("api/v1/delegations", EVERYBODY), ("api/v1/delegations/<uuid:pk>", "CAEOM"),
        ("api/v1/halts", EVERYBODY), ("api/v1/halts/<uuid:pk>", "CAEM"), ("stop/", "CEM"), ("stop/<slug:how>/", "CEM"),
    ),
    *_posts(
        ("agents/export/", ROLES), ("agents/<str:name>/edit/", "E"), ("agents/<str:name>/revoke/", "CEOM", WHY),
        ("agents/<str:name>/keys/add/", "E"), ("agents/<str:name>/keys/<str:kid>/revoke/", "CEOM", WHY),
        ("agents/<str:name>/reinstate/<uuid:asked>/confirm/", "CE"), ("agents/<str:name>/reinstate/<uuid:asked>/decline/", "CEO", WHY),
        ("resources/segments/<slug:name>/edit/", "EM"), ("resources/segments/<slug:name>/retire/", "E", WHY),
        ("resources/r/<slug:name>/retire/", "E", WHY), ("resources/r/<slug:name>/tags/remove/", "E", TAGGED),
        ("api/v1/agents/<str:name>/revoke-credentials", "CEOM", WHY),
        ("api/v1/reinstatements/<uuid:pk>/confirm", "CE"), ("api/v1/reinstatements/<uuid:pk>/decline", "CEO", WHY),
        ("api/v1/resources/<str:name>/tags/remove", "E", TAGGED),
        ("api/v1/resources/<str:name>/retire", "E", WHY), ("api/v1/segments/<str:name>/retire", "", WHY, "E"),
        ("api/v1/people", "M", {"username": "nina", "name": "Nina", "email": "nina@example.com", "roles": []}),
        ("api/v1/people/<str:username>/deactivate", "M"), ("api/v1/people/<str:username>/reactivate", "M"),
        ("api/v1/people/<str:username>/invitation", "M"), ("api/v1/people/<str:username>/link", "M", {"other": "otto"}),
        ("api/v1/people/<str:username>/unlink", "M"), ("api/v1/people/<str:username>/erase", "M"),
        ("api/v1/people/<str:username>/recover", "M"),
        ("api/v1/groups", "M", {"name": "legal"}), ("api/v1/groups/<str:name>/add", "M", {"person": "otto"}),
        ("api/v1/groups/<str:name>/confirm", "", {"person": "rita"}, "M"), ("api/v1/groups/<str:name>/remove", "M", {"person": "rita"}),
        ("api/v1/groups/<str:name>/reviews", "M", {"kind": "segment", "name": "production"}),
        ("api/v1/groups/<str:name>/stop-review", "M", {"kind": "segment", "name": "production"}),
        ("api/v1/delegations", EVERYBODY, {"agent": "support.production", "resource": "shop", "purpose": "A ticket", "minutes": 5}),
        ("api/v1/delegations/<uuid:pk>/end", "CEO", WHY),
        ("api/v1/halts", "CEM", WHY), ("api/v1/halts/owner", "CEM", {"owner": "olga", **WHY}), ("api/v1/halts/segment", "CEM", {"segment": "production", **WHY}),
        ("api/v1/halts/ask", "CE", WHY), ("api/v1/halts/lift", "CE"), ("stop/<slug:how>/", "CEM", WHY),
        ("api/v1/changes/<uuid:pk>/confirm", "M"), ("api/v1/changes/<uuid:pk>/drop", "M"),
    ),
    Row("get", "resources/r/<slug:name>/tags/remove/", "E", TAGGED),
    Row("patch", "api/v1/agents/<str:name>", "E", {"purpose": "Helps"}),
    Row("patch", "api/v1/segments/<str:name>", "EM", {"purpose": "Shops"}),
    Row("patch", "api/v1/people/<str:username>", "M", {"name": "Olga"}),
]  # fmt: skip

OUTBOX = [
    *_pages(
        ("webhooks/", "M"), ("webhooks/add/", "M"), ("webhooks/<uuid:webhook_id>/", "M"), ("webhooks/<uuid:webhook_id>/edit/", "M"),
        ("webhooks/<uuid:webhook_id>/remove/", "M"), ("deliveries/", "M"),
        ("api/v1/webhooks", EVERYBODY), ("api/v1/webhooks/<uuid:pk>", "M"), ("api/v1/deliveries", EVERYBODY), ("api/v1/deliveries/<uuid:pk>", "M"),
    ),
    *_posts(
        ("webhooks/add/", "M"), ("webhooks/<uuid:webhook_id>/edit/", "M"), ("webhooks/<uuid:webhook_id>/secret/", "M"),
        ("webhooks/<uuid:webhook_id>/pause/", "M"), ("webhooks/<uuid:webhook_id>/resume/", "M"), ("webhooks/<uuid:webhook_id>/try/", "M"),
        ("webhooks/<uuid:webhook_id>/remove/", "M"), ("deliveries/export/", "M"), ("deliveries/<uuid:delivery_id>/resend/", "M"),
        ("api/v1/webhooks", "M", {"name": "SIEM", "url": "https://siem.example/", "events": ["hold:asked"]}),
        ("api/v1/webhooks/<uuid:pk>/pause", "M"), ("api/v1/webhooks/<uuid:pk>/resume", "M"), ("api/v1/webhooks/<uuid:pk>/secret", "M"),
        ("api/v1/webhooks/<uuid:pk>/try", "M"), ("api/v1/deliveries/<uuid:pk>/resend", "M"),
    ),
    Row("patch", "api/v1/webhooks/<uuid:pk>", "M", {"name": "Chat"}), Row("delete", "api/v1/webhooks/<uuid:pk>", "M"),
]  # fmt: skip

HELP = _pages(("help/", EVERYBODY), ("help/<slug:volume>/", EVERYBODY))

TABLE = [
    *HELP,
    *POSTURE,
    *TOOLS,
    *DETECTORS,
    *ACCOUNT,
    *NOTIFICATIONS,
    *OUTBOX,
    *REPORTS,
    *CHANGES,
    *PEOPLE,
    *INVENTORY,
    *POLICIES,
    *WORK,
    *RECORD,
    *API,
]

NOBODYS = {
    "health",
    "push-worker.js",
    ".well-known/authzen-configuration",
    "ledger/checkpoint",
    "ledger/tile/<int:level>/<path:place>",
    "account/password/reset/",
    "account/password/reset/<path:step>",
    "invitation/<str:secret>/",
}
"""Addresses that are for people who are not signed in."""
OPEN = {"api/schema/"}
"""Addresses that say nothing of anybody's: the description of the API."""
ALLAUTHS = "allauth."
"""Views of allauth: each shows everybody their own sign-in, and nothing of ours."""
