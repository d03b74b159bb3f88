"""A version that is not as a known key signed it decides nothing, and never comes into force: each way of being otherwise, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pgtrigger
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from accounts.models import User
from cli.policy_bundle import verify
from core.errors import Invalid, NarrowgateError
from ledger import attested
from ledger.models import Outbox
from ledger.signer import FileSigner
from policies import actions, parse, plan, sealing, snapshot
from policies.evaluate import Ask, Code, Verdict
from policies.models import PolicyPlan, PolicyVersion
from policies.queries import active, unsigned
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser
from tests.cast import Cast
from tests.hsm import MODULE, PIN
from tests.policies.worlds import READS, WRITES, changed

pytestmark = pytest.mark.django_db
Tamper = Callable[[PolicyVersion], None]
READ = Ask("support.production", frozenset({"sql:select"}), "shop")
STRANGER = FileSigner(Ed25519PrivateKey.generate(), "stranger.test/policies")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def version(world: World) -> PolicyVersion:
    return actions.install(READS, actor=world.cast.engineer)


def signed_by_a_stranger(version: PolicyVersion) -> str:
    """The note as it is, under another key."""
    text = version.signature.rpartition("\n\n")[0] + "\n"
    return attested.sign(text, STRANGER)


def without_signature(version: PolicyVersion) -> None:
    changed(version, signature="")


def with_other_text(version: PolicyVersion) -> None:
    changed(version, text=READS.replace('Function::"support"', 'Function::"reports"'))


def with_other_tests(version: PolicyVersion) -> None:
    changed(version, tests="cases: []")


def with_another_author(version: PolicyVersion) -> None:
    changed(version, author=User.objects.exclude(id=version.author_id).earliest("date_joined"))


def with_a_claimed_commit(version: PolicyVersion) -> None:
    changed(version, commit="0123456789abcdef")


def by_an_unknown_key(version: PolicyVersion) -> None:
    changed(version, signature=signed_by_a_stranger(version))


def with_a_signature_of_another(version: PolicyVersion) -> None:
    changed(version, signature=version.signature.replace(f"number {version.number}", "number 9"))


def with_a_broken_note(version: PolicyVersion) -> None:
    changed(version, signature="no note")


def with_a_wider_plan(version: PolicyVersion) -> None:
    with pgtrigger.ignore("policies.PolicyPlan:plans_are_final"):
        PolicyPlan.objects.update(packed=plan.write(parse.policies(READS.replace("sql:read", "sql:admin"))))


def without_plan(version: PolicyVersion) -> None:
    with pgtrigger.ignore("policies.PolicyPlan:plans_are_final"):
        PolicyPlan.objects.all().delete()


WAYS = [
    without_signature,
    with_other_text,
    with_other_tests,
    with_another_author,
    with_a_claimed_commit,
    by_an_unknown_key,
    with_a_signature_of_another,
    with_a_broken_note,
    with_a_wider_plan,
    without_plan,
]


@pytest.mark.parametrize("tamper", WAYS)
def test_what_is_not_as_it_was_signed_allows_nothing(version: PolicyVersion, tamper: Tamper) -> None:
    assert snapshot.load().engine.decide(READ).verdict is Verdict.ALLOW
    tamper(version)
    decision = snapshot.load().engine.decide(READ)
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_POLICIES)
    assert "not as it was signed" in decision.why or "not signed" in decision.why


@pytest.mark.parametrize("tamper", WAYS[:-2])
def test_what_is_not_as_it_was_signed_never_comes_into_force(
    cast: Cast, version: PolicyVersion, tamper: Tamper
) -> None:
    proposed = actions.propose(actions.draft(READS + WRITES, actor=cast.engineer).id, actor=cast.engineer)
    approved = actions.approve(proposed.id, actor=cast.ciso)
    tamper(PolicyVersion.objects.get(id=approved.id))
    with pytest.raises(Invalid, match="signed"):
        actions.activate(approved.id, actor=cast.engineer)
    assert active() == version


def test_a_version_whose_approval_nobody_signed_allows_nothing(cast: Cast, version: PolicyVersion) -> None:
    first = version.approval
    draft = actions.draft(READS + WRITES, actor=cast.engineer)
    PolicyVersion.objects.filter(id=version.id).update(status="retired")
    for approval in ("", first, attested.sign(first.rpartition("\n\n")[0] + "\n", STRANGER)):
        PolicyVersion.objects.filter(id=draft.id).update(status="active", approved_by=cast.ciso, approval=approval)
        decision = snapshot.load().engine.decide(READ)
        assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_POLICIES)
        assert "approved is not signed" in decision.why
    PolicyVersion.objects.filter(id=draft.id).update(status="approved")
    with pytest.raises(Invalid, match="approved is not signed"):
        actions.activate(draft.id, actor=cast.engineer)
    PolicyVersion.objects.filter(id=draft.id).update(status="retired")
    with pytest.raises(Invalid, match="approved is not signed"):
        actions.rollback(draft.number, actor=cast.engineer, reason="Nobody approved it.")


def test_the_active_one_stays_for_a_running_gateway_until_it_reads_again(version: PolicyVersion) -> None:
    before = snapshot.load()
    with_other_text(version)
    assert before.engine.decide(READ).verdict is Verdict.ALLOW


def test_nothing_that_is_not_as_it_was_signed_is_approved_or_proposed(cast: Cast, version: PolicyVersion) -> None:
    draft = actions.draft(READS + WRITES, actor=cast.engineer)
    with_other_text(draft)
    with pytest.raises(Invalid, match="signed"):
        actions.propose(draft.id, actor=cast.engineer)


def test_the_database_keeps_versions_as_they_are(version: PolicyVersion) -> None:
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        PolicyVersion.objects.update(text="permit (principal, action, resource);")
    with pytest.raises(DatabaseError, match="delete rows"), transaction.atomic():
        PolicyPlan.objects.all().delete()
    with pytest.raises(DatabaseError, match="delete rows"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM policies_policyversion")
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        PolicyPlan.objects.update(packed=b"")


def test_the_digest_in_the_ledger_is_that_of_what_is_signed(version: PolicyVersion) -> None:
    leaf = json.loads(bytes(Outbox.objects.get(event="policy:activated").leaf))
    said = version.signature.rpartition("\n\n")[0] + "\n"
    assert leaf["digest"] == version.digest == attested.digest(said.encode())
    facts = attested.facts(version.signature, sealing.TITLE)
    assert facts["number"] == "1"
    assert facts["text"] == attested.digest(READS.encode())
    assert facts["author"] == str(version.author_id)


def test_a_gateway_without_the_key_accepts_those_that_it_is_told(
    version: PolicyVersion, settings: Settings, tmp_path: Path
) -> None:
    console = sealing.signer().key
    settings.STATE_DIR = tmp_path
    settings.POLICY_KEYS = [str(STRANGER.key)]
    with pytest.raises(Invalid, match="not known"):
        sealing.require_sealed(version)
    settings.POLICY_KEYS = [str(STRANGER.key), str(console)]
    assert sealing.require_sealed(version)
    assert not list(tmp_path.rglob("*.key"))


def test_a_key_that_is_none_denies_everything(version: PolicyVersion, settings: Settings) -> None:
    settings.POLICY_KEYS = ["nonsense"]
    assert "POLICY_KEYS" in snapshot.load().engine.decide(READ).why
    settings.POLICY_KEYS = []
    settings.KEY_PASSPHRASE = "another"
    with pytest.raises(NarrowgateError):
        sealing.signer()
    assert snapshot.load().engine.decide(READ).code is Code.NO_POLICIES


def test_a_plan_of_another_release_is_not_needed(version: PolicyVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "made_by", lambda: "another release")
    assert snapshot.load().engine.decide(READ).verdict is Verdict.ALLOW


def test_what_was_kept_before_is_signed_once_and_says_so(
    version: PolicyVersion, capsys: pytest.CaptureFixture[str]
) -> None:
    without_signature(version)
    with pgtrigger.ignore("policies.PolicyPlan:plans_are_final"):
        PolicyPlan.objects.all().delete()
    call_command("sign_policies")
    assert "Version 1 is signed" in capsys.readouterr().out
    assert Outbox.objects.filter(event="policy:signed").count() == 1
    assert snapshot.load().engine.decide(READ).verdict is Verdict.ALLOW
    call_command("sign_policies")
    assert "Every version is signed." in capsys.readouterr().out


def test_an_exported_version_is_verified_offline(
    world: World, version: PolicyVersion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = Caller(world.cast.auditor).get("policies/1/bundle")
    assert (status, said["text"]) == (200, READS)
    file, key = tmp_path / "one.json", str(sealing.signer().key)
    file.write_text(json.dumps(said))
    verify(file, key, text=tmp_path / "one.cedar")
    assert "as it was signed" in capsys.readouterr().out
    assert (tmp_path / "one.cedar").read_text() == READS
    keys = tmp_path / "keys"
    keys.write_text(f"{STRANGER.key}\n{key}\n")
    verify(file, str(keys))
    with pytest.raises(NarrowgateError, match="not known"):
        verify(file, str(STRANGER.key))
    for part in ("text", "tests", "schema"):
        file.write_text(json.dumps(said | {part: said[part] + " "}))
        with pytest.raises(NarrowgateError, match=f"The {part} is not what was signed"):
            verify(file, key)
    forged = said["signature"].replace("number 1", "number 2")
    wrongs: tuple[object, ...] = (said | {"signature": forged}, said | {"signature": ""}, [], {"text": READS})
    for wrong in wrongs:
        file.write_text(json.dumps(wrong))
        with pytest.raises(NarrowgateError, match=r"does not hold|no exported"):
            verify(file, key)
    assert Caller(world.cast.outsider).get("policies/1/bundle")[0] in {403, 404}


def test_what_is_not_as_it_was_signed_is_not_exported_and_its_page_says_so(
    world: World, version: PolicyVersion
) -> None:
    assert str(sealing.signer().key) in browser(world.cast.engineer).get("/policies/1/").content.decode()
    with_other_text(version)
    assert Caller(world.cast.engineer).get("policies/1/bundle")[0] == 422
    page = browser(world.cast.engineer).get("/policies/1/").content.decode()
    assert "not as it was signed" in page
    assert "No gate allows anything by it." in page


def test_a_key_in_an_hsm_signs_versions_and_leaves_it_never(
    world: World, hsm_token: str, settings: Settings, tmp_path: Path
) -> None:
    settings.STATE_DIR = tmp_path
    settings.POLICY_KEY = f"pkcs11:token={hsm_token};object=policies?module-path={MODULE}"
    settings.POLICY_KEY_PIN = PIN
    version = actions.install(READS, actor=world.cast.engineer)
    assert snapshot.load().engine.decide(READ).verdict is Verdict.ALLOW
    assert sealing.signed_by(version) == sealing.signer().key
    assert list(tmp_path.rglob("*")) == []
    settings.POLICY_KEY = ""
    settings.POLICY_KEYS = [str(STRANGER.key)]
    assert snapshot.load().engine.decide(READ).code is Code.NO_POLICIES


def test_versions_of_before_are_named_when_the_server_starts(version: PolicyVersion) -> None:
    assert unsigned() == ""
    changed(version, signature="")
    assert "Version 1 of the policies was kept before versions were signed" in unsigned()
    assert "manage.py sign_policies" in unsigned()
    call_command("sign_policies")
    assert unsigned() == ""
