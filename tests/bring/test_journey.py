"""The main job on a database, an agent and a policy that the demo does not contain, brought by the command line alone.

Then psql asks: allowed, masked, denied, and held until a reviewer approves over the API.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bring.conftest import LOGIN, PASSWORD, Clinic
from tests.commands import typed
from tests.serving import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]
AGENT, RESOURCE, SEGMENT = "triage.production", "clinic-records", "clinic"
POLICY = """
@id("triage-reads") @why("Triage looks patients up.")
permit (principal in Function::"triage", action in Action::"sql:read", resource == Resource::"clinic-records");

@id("triage-moves-patients") @why("Triage moves patients between wards.")
permit (principal in Function::"triage", action == Action::"sql:update", resource == Resource::"clinic-records");

@id("moves-need-a-dba") @hold("dba:1") @ttl("5m") @why("Somebody looks before a patient is moved.")
forbid (principal, action in Action::"sql:write", resource in Segment::"clinic") unless { context has approval };
"""
CASES = """
cases:
  - {name: Triage reads, agent: triage.production, resource: clinic-records, verbs: [sql:select], expect: allow}
  - name: Moving waits
    agent: triage.production
    resource: clinic-records
    verbs: [sql:update]
    expect: hold
    needs: "dba:1"
"""


@dataclass(frozen=True)
class Bench:
    """Where the engineer types."""

    server: RunningServer
    folder: Path

    def types(
        self, *words: str, who: str = "erik", says: str = "", status: int = 0, answers: str = "", apart: bool = False
    ) -> str:
        """Run the command as `who`, here or in a process of its own; its exit status and words are as expected."""
        command = [*words, *(("--as", who) if who else ())]
        run = self._apart if apart else self._here
        code, out, complaints = run(command, answers)
        assert code == status, (out, complaints)
        assert says in out + complaints
        return out

    def _apart(self, command: list[str], answers: str) -> tuple[int, str, str]:
        done = self.server.narrowgate(*command, cwd=self.folder, input=answers)
        return done.returncode, done.stdout, done.stderr

    def _here(self, command: list[str], answers: str) -> tuple[int, str, str]:
        return typed(self.server.state, *command, here=self.folder, answers=answers)

    def psql(self, statement: str) -> subprocess.Popen[str]:
        """Start psql as the agent, with a token as the password."""
        token = self.types("token", AGENT, "--resource", RESOURCE, "--key", f"{AGENT}.jwk", who="").strip()
        gateway = self.server.demo["gateway"]
        host, _, port = gateway["postgres"].rpartition(":")
        environment = {**os.environ, "PGPASSWORD": token, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": gateway["ca"]}
        command = ["psql", "-X", "-At", "-h", host, "-p", port, "-U", AGENT, "-d", RESOURCE, "-c", statement]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    def asks(self, statement: str) -> tuple[str, str]:
        """What psql prints, and what it complains of."""
        return self.psql(statement).communicate(timeout=60)

    def api(self, who: str, path: str, body: object = None) -> tuple[int, Any]:
        """The API as `who`."""
        demo = self.server.demo
        token = next(person["api_token"] for person in demo["people"] if person["username"] == who)
        answer = httpx.request(
            "POST" if body is not None else "GET",
            f"{demo['console']}/api/v1/{path}",
            headers={"Authorization": f"Token {token}"},
            json=body,
            trust_env=False,
        )
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def bench(server: RunningServer, clinic: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Everything brought: segment, resource, tags, agent, policy. Put back at the end."""
    bench = Bench(server, tmp_path_factory.mktemp("bench"))
    bring_database(bench, clinic)
    bring_agent(bench)
    number = bring_policy(bench)
    yield bench
    bench.types("policy", "rollback", "1", "--reason", "The test is over", says="Version 1 is in force again.")
    bench.types("policy", "review", "1", "--found", "Fine", status=1, says="Nobody reviews their own roll-back.")
    bench.types("policy", "review", "1", "--found", "It was right", who="claire", says="is reviewed")
    bench.types("policy", "approve", str(number), who="claire", status=1, says="retired")
    bench.types("agent", "retire", AGENT, "--reason", "The test is over", says="is retired")


def bring_database(bench: Bench, clinic: Clinic) -> None:
    bench.types("segment", "create", SEGMENT, "--purpose", "Patients and who treats them", apart=True)
    bench.types("segment", "let-review", SEGMENT, "dba", status=1, says="without the role administrator")
    bench.types("segment", "let-review", SEGMENT, "dba", who="ada")
    (bench.folder / "password").write_text("not the password\n", encoding="utf-8")
    where = ["--host", clinic.host, "--database", "clinic", "--segment", SEGMENT, "--tls", "off", "--user", LOGIN]
    add = ["resource", "add", RESOURCE, *where, "--owner", "lena", "--password-file", "password"]
    bench.types(*add, who="omar", status=1, says="without the role platform engineer")
    bench.types(*add, who="maya", status=1, says="scopes do not cover")
    bench.types(*add, says="is behind the gate")
    bench.types("resource", "test", RESOURCE, status=1, says="does not accept the user clinic_gate with this password")
    bench.types(
        "resource", "login", RESOURCE, "--user", LOGIN, "--password-file", "-", answers=f"{PASSWORD}\n", apart=True
    )
    bench.types("resource", "test", RESOURCE, says="The gate can sign in to clinic as clinic_gate.")
    assert "20 of 20 sampled values are e-mail addresses." in bench.types("resource", "scan", RESOURCE)
    bench.types(
        "resource", "scan", RESOURCE, "--confirm", answers="y\ny\n", says="public.patients.reach_at is tagged email."
    )
    bench.types("resource", "scan", RESOURCE, says="Nothing found")


def bring_agent(bench: Bench) -> None:
    about = ["--owner", "lena", "--purpose", "Sorts patients by urgency", "--segment", SEGMENT]
    bench.types("agent", "enrol", "Triage-Prod", *about, status=1, says="Perhaps triage.production?")
    bench.types("agent", "enrol", AGENT, *about, who="lena", status=1, says="without the role platform engineer")
    bench.types("agent", "enrol", AGENT, *about, who="maya", status=1, says="scopes do not cover")
    assert not list(bench.folder.glob("*.jwk"))  # a refused enrolment leaves no key behind
    bench.types("agent", "enrol", AGENT, *about, says="is enrolled in clinic; lena answers for it.")
    key = bench.folder / f"{AGENT}.jwk"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert json.loads(key.read_text(encoding="utf-8"))["d"]
    assert f"{AGENT}\tactive\t{SEGMENT}\tlena" in bench.types("agent", "list")


def bring_policy(bench: Bench) -> int:
    folder = bench.folder / "policies"
    folder.mkdir()
    (folder / "10-shop.cedar").write_text(bench.types("policy", "show"), encoding="utf-8")
    ours = folder / "20-clinic.cedar"
    ours.write_text(POLICY.replace("context has approval", "context.approvel"), encoding="utf-8")
    refused = bench.types("policy", "check", "policies", status=1)
    assert "policies/20-clinic.cedar:8: " in refused
    bench.types("policy", "push", "policies", status=1, says="20-clinic.cedar:8")
    ours.write_text(POLICY, encoding="utf-8")
    bench.types("policy", "check", "policies", says="Nothing is wrong.", apart=True)
    cases = folder / "20-clinic.test.yaml"
    bench.types("policy", "test", "policies", status=1, says="There is no test case.")
    cases.write_text(CASES.replace("hold", "allow"), encoding="utf-8")
    failing = bench.types("policy", "test", "policies", "--output", "sarif", status=1)
    assert "Expected allow, but it is hold" in json.loads(failing)["runs"][0]["results"][0]["message"]["text"]
    bench.types("policy", "push", "policies", status=1, says="Moving waits")
    cases.write_text(CASES, encoding="utf-8")
    bench.types("policy", "test", "policies", says="All 2 pass.")
    assert "production-database" in bench.types("policy", "packs")
    assert "finance.cedar" in bench.types("policy", "install", "finance", "starters")
    bench.types("policy", "install", "finance", "starters", status=1, says="there already")
    bench.types("policy", "install", "banking", "starters", status=1, says="no pack banking")
    differs = bench.types("policy", "diff", "policies", status=1)
    assert '+@id("triage-reads")' in differs
    assert "Becomes allowed (triage-reads)" in differs
    bench.types("policy", "push", "policies", who="lena", status=1)
    pushed = bench.types("policy", "push", "policies", "--note", "The clinic")
    number = int(pushed.split()[1])
    bench.types("policy", "activate", str(number), status=1, says="not approved")
    bench.types("policy", "approve", str(number), status=1, says="Nobody approves policies they wrote.")
    bench.types("policy", "approve", str(number), who="maya", status=1, says="scopes do not cover")
    bench.types("policy", "approve", str(number), who="claire", says="is approved")
    bench.types("policy", "activate", str(number), says="is in force")
    bench.types("policy", "diff", "policies")
    wait_until(lambda: bench.asks("SELECT 1")[0] == "1\n")
    return number


def wait_until(done: Any, seconds: float = 15.0) -> None:
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_read_is_allowed(bench: Bench) -> None:
    assert bench.asks("SELECT count(*) FROM visits") == ("50\n", "")


def test_what_was_tagged_is_masked(bench: Bench) -> None:
    shown, _ = bench.asks("SELECT id, full_name, reach_at, ward FROM patients WHERE id = 7")
    assert shown == "7|***|***|W1\n"
    _, said = bench.asks("SELECT id FROM patients WHERE reach_at LIKE 'p7%'")
    assert "ERROR" in said


def test_what_no_policy_allows_is_denied(bench: Bench, clinic: Clinic) -> None:
    _, said = bench.asks("DELETE FROM visits WHERE id = 1")
    assert "No policy allows triage.production to do sql:delete at clinic-records." in said
    assert clinic.count("SELECT count(*) FROM visits") == 50
    action = said.rpartition("(action ")[2].partition(")")[0]
    wait_until(lambda: bench.api("erik", f"actions/{action}")[0] == 200)
    bench.types("policy", "explain", action, says="That is what was recorded.")
    bench.types("policy", "explain", action, "--version", "1", says="denied")
    bench.types("policy", "explain", action, who="lena", status=1)
    bench.types("policy", "try", "1", "--period", "1d", says="actions would have gone otherwise.")


def test_a_change_waits_and_runs_once_approved(bench: Bench, clinic: Clinic) -> None:
    asking = bench.psql("UPDATE patients SET ward = 'ICU' WHERE id = 7")
    hold = waiting(bench)
    assert clinic.count("SELECT count(*) FROM patients WHERE ward = 'ICU'") == 0
    body = {"digest": hold["digest"]}
    assert bench.api("lena", f"holds/{hold['id']}/approve", body)[0] in {403, 404}  # the owner never does
    assert bench.api("erik", f"holds/{hold['id']}/approve", body)[0] in {403, 404}  # nor who enrolled it
    assert bench.api("priya", f"holds/{hold['id']}/approve", body)[0] in {403, 404}  # nor another group
    assert asking.poll() is None
    assert bench.api("maya", f"holds/{hold['id']}/approve", body)[0] == 200
    shown, said = asking.communicate(timeout=30)
    assert shown == "UPDATE 1\n", said
    assert clinic.count("SELECT count(*) FROM patients WHERE ward = 'ICU'") == 1


def test_a_denial_is_told_with_its_reason(bench: Bench, clinic: Clinic) -> None:
    before = clinic.count("SELECT count(*) FROM patients WHERE ward = 'ICU'")
    asking = bench.psql("UPDATE patients SET ward = 'ICU'")
    hold = waiting(bench)
    assert bench.api("jonas", f"holds/{hold['id']}/deny", {"digest": hold["digest"], "reason": "Not all"})[0] == 200
    _, said = asking.communicate(timeout=30)
    assert "Not all" in said
    assert clinic.count("SELECT count(*) FROM patients WHERE ward = 'ICU'") == before


def test_a_suspended_agent_gets_nothing(bench: Bench) -> None:
    bench.types("agent", "suspend", AGENT, "--reason", "Odd", who="maya", status=1, says="scopes do not cover")
    bench.types("agent", "suspend", AGENT, "--reason", "Odd", who="lena", says="is suspended")
    bench.types("token", AGENT, "--resource", RESOURCE, "--key", f"{AGENT}.jwk", who="", status=1)
    bench.types("agent", "reinstate", AGENT, "--reason", "Fine", who="lena", says="A second person confirms it")
    bench.types("agent", "reinstate", AGENT, "--reason", "Fine", status=1, says="Somebody has asked already")
    bench.types("agent", "confirm", AGENT, who="lena", status=1, says="platform engineer or ciso")
    bench.types("agent", "decline", AGENT, "--reason", "Not yet", says="stays as it is")
    bench.types("agent", "confirm", AGENT, status=1, says="Nobody has asked to let")
    bench.types("agent", "reinstate", AGENT, "--reason", "Fine")
    bench.types("agent", "confirm", AGENT, status=1, says="You asked for it: a second person confirms.")
    bench.types("agent", "confirm", AGENT, who="claire", says="is active. erik had asked: Fine")
    wait_until(lambda: bench.asks("SELECT 2")[0] == "2\n")


def test_what_was_brought_is_changed_and_retired(bench: Bench, clinic: Clinic) -> None:
    bench.types("agent", "change", AGENT, status=1, says="Nothing was to be changed.")
    bench.types("agent", "change", AGENT, "--owner", "nobody", status=1, says="Nobody here is called nobody.")
    bench.types("agent", "change", AGENT, "--purpose", "Sorts them", who="claire", status=1, says="platform engineer")
    bench.types("agent", "change", AGENT, "--purpose", "Sorts them", "--deputy", "omar", says="Sorts them")
    bench.types("resource", "change", RESOURCE, "--purpose", "Who is ill", says="Test the way to it")
    bench.types("segment", "change", SEGMENT, "--purpose", "Patients", says="clinic: Patients")
    bench.types("segment", "retire", SEGMENT, "--reason", "Over", status=1, says="Move or retire them first.")
    bench.types("resource", "tag", RESOURCE, "visits.note", "email", says="is tagged email")
    bench.types("resource", "untag", RESOURCE, "visits.note", "--reason", "A mistake", says="masked no longer")
    bench.types("resource", "untag", RESOURCE, "visits.note", "--reason", "Again", status=1, says="has no tag")
    bench.types("segment", "create", "annex", "--purpose", "For a day")
    where = ["--host", clinic.host, "--database", "clinic", "--segment", "annex", "--tls", "off", "--user", LOGIN]
    bench.types("resource", "add", "annex-records", *where, "--password-file", "-", answers=f"{PASSWORD}\n")
    bench.types("resource", "retire", "annex-records", "--reason", "Over", who="maya", status=1, says="scopes do not")
    bench.types("resource", "retire", "annex-records", "--reason", "Over", says="behind the gate no longer")
    bench.types("resource", "change", "annex-records", "--port", "1", status=1, says="annex-records is retired.")
    bench.types("segment", "retire", "annex", "--reason", "Over", says="annex is retired.")
    bench.types("agent", "revoke", AGENT, "--reason", "A drill", says="Ended: ")


def test_without_a_token_the_command_says_what_to_give(bench: Bench) -> None:
    bench.types("agent", "list", who="", status=1, says="Give --token-file FILE")
    bench.types("agent", "list", who="nobody", status=1, says="There is no token of a person called nobody.")
    token = bench.folder / "token"
    token.write_text("ngp_wrong\n", encoding="utf-8")
    bench.types("agent", "list", "--token-file", "token", who="", status=1, says="unknown or has expired")
    assert PASSWORD not in "".join(path.read_text() for path in bench.folder.glob("*.jwk"))


def waiting(bench: Bench) -> dict[str, Any]:
    """The hold of the agent's that waits, once it does."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = bench.api("maya", f"holds?status=waiting&agent={AGENT}")[1]["results"]
        return bool(found)

    wait_until(look)
    return found[0]
