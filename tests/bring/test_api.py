"""Bringing one's own over the API: each write with its refusals, in problem details that name field and remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.scopes import AGENTS_WRITE, POLICIES_WRITE, READ
from agents.models import Agent, ColumnTag, Credential, Resource, ResourceSecret, Segment
from agents.vault import open_secret
from core.db import db_now
from ledger.models import Outbox
from policies.models import PolicyVersion
from tests.bring.callers import Caller, new_key
from tests.bring.conftest import LOGIN, PASSWORD, Clinic
from tests.cast import Cast

pytestmark = pytest.mark.django_db
ALLOW = (
    '@id("reads") @why("Reads.")\npermit (principal in Function::"triage", action in Action::"sql:read", resource);\n'
)


@pytest.fixture
def engineer(cast: Cast) -> Caller:
    caller = Caller(cast.engineer)
    assert caller.post("segments", {"name": "clinic", "purpose": "Patients"})[0] == 201
    return caller


def agent_body(cast: Cast, **changed: Any) -> dict[str, Any]:
    body = {"name": "triage.production", "purpose": "Sorts patients", "segment": "clinic", "owner": "olga"}
    return {**body, "public_jwk": new_key(), **changed}


def resource_body(clinic: Clinic, **changed: Any) -> dict[str, Any]:
    where = {"host": clinic.host, "database": "clinic", "tls": "off"}
    login = {"user": LOGIN, "password": PASSWORD}
    return {"name": "records", "segment": "clinic", **where, "login": login, **changed}


# ---- agents ----
def test_an_agent_is_enrolled_suspended_and_reinstated(engineer: Caller, cast: Cast) -> None:
    status, said = engineer.post("agents", agent_body(cast, deputy="dev"))
    assert (status, said["status"], said["owner"], said["deputy"]) == (201, "active", "olga", "dev")
    for verb, after in (("suspend", "suspended"), ("reinstate", "active"), ("retire", "retired")):
        status, said = engineer.post(f"agents/triage.production/{verb}", {"reason": "A test"})
        if verb == "reinstate":
            assert (status, said["status"], said["asked_by"]) == (201, "waiting", "enzo")
            assert engineer.post(f"reinstatements/{said['id']}/confirm")[1]["code"] == "same_person"
            assert Caller(cast.ciso).post(f"reinstatements/{said['id']}/confirm")[1]["status"] == "confirmed"
            status, said = engineer.get("agents/triage.production")
        assert (status, said["status"], said["status_reason"]) == (200, after, "A test")
    events = list(
        Outbox.objects.filter(event__startswith="agent:").order_by("node_seq").values_list("event", flat=True)
    )
    assert events == ["agent:enrolled", "agent:suspended", "agent:reinstated", "agent:changed"]


@pytest.mark.parametrize(
    ("changed", "field", "remedy"),
    [
        ({"name": "TriageBot-prod"}, "name", "triagebot.production"),
        ({"name": "7.moon"}, "name", "For example"),
        ({"segment": "clinc"}, "segment", "Did you mean clinic?"),
        ({"owner": "olgaa"}, "owner", "Did you mean olga?"),
        ({"deputy": "olga"}, "deputy", "Name another person"),
        ({"public_jwk": {"kty": "RSA", "n": "x", "e": "AQAB"}}, "key", "narrowgate"),
        ({"public_jwk": {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}}, "key", "public half"),
    ],
)
def test_what_cannot_be_enrolled_names_its_field(
    engineer: Caller, cast: Cast, changed: dict[str, Any], field: str, remedy: str
) -> None:
    status, said = engineer.post("agents", agent_body(cast, **changed))
    assert (status, said["field"]) == (422, field)
    assert remedy in said["remedy"]
    assert not Agent.objects.exists()


def test_a_body_without_its_fields_names_each(engineer: Caller) -> None:
    status, said = engineer.post("agents", {"name": "x" * 200, "public_jwk": "text"})
    assert status == 400
    assert said["errors"].keys() == {"name", "purpose", "segment", "owner", "public_jwk"}


@pytest.mark.parametrize("who", ["owner", "reviewer", "ciso", "auditor", "administrator", "outsider"])
def test_only_engineers_enrol(engineer: Caller, cast: Cast, who: str) -> None:
    status, said = Caller(getattr(cast, who)).post("agents", agent_body(cast))
    assert (status, said["code"]) == (404, "role_required")
    assert not Agent.objects.exists()


def test_scopes_decide_before_roles(engineer: Caller, cast: Cast) -> None:
    for scopes in ((READ,), (READ, POLICIES_WRITE)):
        status, said = Caller(cast.engineer, *scopes).post("agents", agent_body(cast))
        assert (status, said["code"]) == (403, "permission_denied")
    assert Caller(cast.engineer, READ, AGENTS_WRITE).post("policies", {"text": ALLOW})[0] == 403


def test_owners_stop_their_own_and_nobody_reinstates_theirs(engineer: Caller, cast: Cast) -> None:
    engineer.post("agents", agent_body(cast))
    owner = Caller(cast.owner)
    assert owner.post("agents/triage.production/suspend", {"reason": "Mine"})[0] == 200
    _, asked = owner.post("agents/triage.production/reinstate", {"reason": "Mine"})
    assert owner.post(f"reinstatements/{asked['id']}/confirm")[1]["code"] == "role_required"
    assert engineer.post("agents/triage.production/suspend", {"reason": "Again"})[0] == 409
    for stranger in (cast.reviewer, cast.outsider):  # they do not even see it
        assert Caller(stranger).post("agents/triage.production/suspend", {"reason": "No"})[0] == 404
    assert engineer.post("agents/triage.production/reinstate", {})[1]["errors"].keys() == {"reason"}


def test_keys_are_added_once(engineer: Caller, cast: Cast) -> None:
    key = new_key()
    engineer.post("agents", agent_body(cast, public_jwk=key))
    assert engineer.post("agents/triage.production/keys", {"public_jwk": new_key()})[0] == 201
    assert engineer.post("agents/triage.production/keys", {"public_jwk": key})[1]["field"] == "key"


def test_credentials_are_revoked(engineer: Caller, cast: Cast, clinic: Clinic) -> None:
    engineer.post("agents", agent_body(cast))
    engineer.post("resources", resource_body(clinic))
    agent, now = Agent.objects.get(), db_now()
    issued = Credential.objects.create(
        agent=agent, key=agent.keys.get(), resource=Resource.objects.get(), issued_at=now, expires_at=now.replace(year=now.year + 1)
    )  # fmt: skip
    assert Caller(cast.outsider).post(f"credentials/{issued.id}/revoke", {"reason": "No"})[0] == 404
    status, said = engineer.post(f"credentials/{issued.id}/revoke", {"reason": "Leaked"})
    assert (status, said["revoked_reason"]) == (200, "Leaked")


# ---- segments ----
def test_segments_and_who_reviews_in_them(engineer: Caller, cast: Cast) -> None:
    assert engineer.post("segments", {"name": "clinic"})[1]["field"] == "name"
    assert engineer.post("segments", {"name": "No Good"})[1]["errors"].keys() == {"name"}
    assert engineer.post("segments/clinic/reviewers", {"group": "dba"})[1]["code"] == "role_required"
    administrator = Caller(cast.administrator)
    assert administrator.post("segments/clinic/reviewers", {"group": "dbas"})[1]["remedy"] == "Did you mean dba?"
    assert administrator.post("segments/clinic/reviewers", {"group": "dba"})[0] == 201
    assert engineer.get("segments/clinic/reviewers")[1] == [{"group": "dba"}]


# ---- resources ----
def test_a_resource_is_added_tested_scanned_and_tagged(engineer: Caller, clinic: Clinic) -> None:
    status, said = engineer.post("resources", resource_body(clinic))
    assert (status, said["name"]) == (201, "records")
    assert PASSWORD not in str(said)
    assert open_secret(Resource.objects.get()).password == PASSWORD
    tried = engineer.post("resources/records/test")[1]
    assert (tried["ok"], tried["code"]) == (True, "ok")
    found = engineer.post("resources/records/scan")[1]
    assert {(one["column"], one["tag"]) for one in found["suggestions"]} == {
        ("full_name", "name"),
        ("reach_at", "email"),
    }
    assert "Patient" not in str(found)  # evidence, never values
    for one in found["suggestions"]:
        body = {name: one[name] for name in ("schema", "table", "column", "tag")}
        assert engineer.post("resources/records/tags", body)[0] == 201
    assert [tag["tag"] for tag in engineer.get("resources/records/tags")[1]] == ["name", "email"]
    assert engineer.post("resources/records/scan")[1]["suggestions"] == []
    assert Outbox.objects.filter(event="secret:used").count() == 3


def test_a_wrong_password_is_said_and_mended(engineer: Caller, clinic: Clinic) -> None:
    engineer.post("resources", resource_body(clinic, login={"user": LOGIN, "password": "wrong"}))
    tried = engineer.post("resources/records/test")[1]
    assert (tried["ok"], tried["code"]) == (False, "wrong_password")
    assert engineer.post("resources/records/scan")[0] == 400
    assert engineer.put("resources/records/secret", {"user": LOGIN, "password": PASSWORD})[0] == 204
    assert engineer.post("resources/records/test")[1]["ok"] is True
    assert engineer.patch("resources/records", {"database": "clinique"})[0] == 200
    assert engineer.post("resources/records/test")[1]["code"] == "no_database"


def test_without_a_login_there_is_nothing_to_test(engineer: Caller, clinic: Clinic) -> None:
    body = resource_body(clinic)
    del body["login"]
    engineer.post("resources", body)
    status, said = engineer.post("resources/records/test")
    assert (status, said["remedy"]) == (404, "Store one.")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "Records 1"}, "name"),
        ({"port": 70000}, "port"),
        ({"segment": "nowhere"}, "segment"),
        ({"host": "db.example.com", "tls": "off"}, "tls"),
        ({"owner": "zz"}, "owner"),
        ({"login": {"user": "x"}}, "login"),
        ({"database": "nul\0byte"}, "database"),
    ],
)
def test_what_cannot_be_added_names_its_field_and_leaves_nothing(
    engineer: Caller, clinic: Clinic, changed: dict[str, Any], field: str
) -> None:
    status, said = engineer.post("resources", resource_body(clinic, **changed))
    assert status in {400, 422}
    assert field in {said.get("field"), *said.get("errors", ())}
    assert not Resource.objects.exists()
    assert not ResourceSecret.objects.exists()


@pytest.mark.parametrize("who", ["owner", "reviewer", "ciso", "auditor", "administrator", "outsider"])
def test_only_engineers_touch_resources(engineer: Caller, cast: Cast, clinic: Clinic, who: str) -> None:
    other = Caller(getattr(cast, who))
    assert other.post("resources", resource_body(clinic))[1]["code"] == "role_required"
    engineer.post("resources", resource_body(clinic))
    for path, body in (
        ("test", {}),
        ("scan", {}),
        ("tags", {"table": "patients", "column": "ward", "tag": "ward"}),
    ):
        assert other.post(f"resources/records/{path}", body)[0] in {403, 404}
    assert other.put("resources/records/secret", {"user": "x", "password": "y"})[0] in {403, 404}
    assert other.patch("resources/records", {"port": 1})[0] in {403, 404}
    assert not ColumnTag.objects.exists()
    assert open_secret(Resource.objects.get()).user == LOGIN


# ---- policies ----
def test_a_version_goes_its_way_and_comes_back(engineer: Caller, cast: Cast) -> None:
    first = engineer.post("policies/install", {"text": ALLOW})[1]
    assert (first["number"], first["status"]) == (1, "active")
    assert engineer.post("policies/install", {"text": ALLOW})[1]["code"] == "not_the_first"
    assert engineer.post("policies", {"text": f"// more\n{ALLOW}", "note": "More"})[1]["status"] == "draft"
    assert engineer.post("policies/2/approve")[0] == 409
    assert engineer.post("policies/2/propose")[1]["status"] == "proposed"
    assert engineer.post("policies/2/approve")[1]["code"] == "own_version"
    ciso = Caller(cast.ciso)
    assert ciso.post("policies/2/approve")[1]["approved_by"] == "cleo"
    assert ciso.post("policies/2/activate")[1]["code"] == "role_required"
    assert engineer.post("policies/2/activate")[1]["status"] == "active"
    assert engineer.post("policies/1/rollback", {})[1]["errors"].keys() == {"reason"}
    assert engineer.post("policies/1/rollback", {"reason": "It was wrong"})[1]["status"] == "active"
    assert PolicyVersion.objects.get(status="active").number == 1


def test_a_text_is_checked_by_line(engineer: Caller) -> None:
    text = f'{ALLOW}\n@id("reads")\npermit (principal, action, resource);\nforbid (principal\n'
    status, said = engineer.post("policies/check", {"text": text})
    assert status == 200
    assert [one["line"] for one in said["problems"]][-1] >= 6
    assert engineer.post("policies/check", {"text": ALLOW})[1]["problems"] == []
    refused = engineer.post("policies", {"text": text})
    assert (refused[0], refused[1]["field"]) == (422, "text")
    assert not PolicyVersion.objects.exists()


@pytest.mark.parametrize("who", ["owner", "reviewer", "auditor", "outsider"])
def test_others_write_no_policy(engineer: Caller, cast: Cast, who: str) -> None:
    engineer.post("policies/install", {"text": ALLOW})
    engineer.post("policies", {"text": ALLOW})
    engineer.post("policies/2/propose")
    other = Caller(getattr(cast, who))
    assert other.post("policies/check", {"text": ALLOW})[0] == 404
    assert other.post("policies", {"text": ALLOW})[1]["code"] == "role_required"
    assert other.post("policies/2/approve")[0] in {403, 404}
    assert other.post("policies/1/rollback", {"reason": "No"})[0] in {403, 404}
    assert PolicyVersion.objects.get(number=2).status == "proposed"


@pytest.mark.parametrize(
    "path", ["agents/%00", "resources/no-such", "segments/%ff", "policies/999999999999", "agents/x/keys"]
)
def test_what_is_not_there_is_not_found(engineer: Caller, path: str) -> None:
    assert engineer.get(path)[0] in {404, 405}


def test_everything_is_described(cast: Cast) -> None:
    described = json.loads(Caller(cast.engineer).client.get("/api/schema/?format=json").content)
    posts = {path for path, methods in described["paths"].items() if "post" in methods}
    assert {
        "/api/v1/agents",
        "/api/v1/agents/{name}/suspend",
        "/api/v1/resources/{name}/test",
        "/api/v1/resources/{name}/scan",
        "/api/v1/policies/check",
        "/api/v1/policies/{number}/approve",
    } <= posts
    login = described["components"]["schemas"]["LoginBody"]["properties"]["password"]
    assert login["writeOnly"] is True


def test_members_are_found_by_identifier_too(engineer: Caller) -> None:
    segment = Segment.objects.get()
    assert engineer.get(f"segments/{segment.id}")[1]["name"] == "clinic"
