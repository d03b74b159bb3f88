"""A version is approved by somebody else, one is active, and bad text never replaces it."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from agents.revision import current_revision
from core.errors import Invalid, NotFound, Refused, Stale
from core.ids import new_id
from ledger import personal
from ledger.models import Outbox
from policies import actions
from policies.models import PolicyVersion
from policies.queries import active, visible_to
from tests.bring.callers import Caller, browser
from tests.cast import Cast
from tests.policies.worlds import changed

pytestmark = pytest.mark.django_db
Status = PolicyVersion.Status

FIRST = '@id("a") permit (principal, action in Action::"sql:read", resource);'
SECOND = FIRST + '\n@id("b") @hold("dba:1") forbid (principal, action, resource) unless { context has approval };'


@pytest.fixture
def first(cast: Cast) -> PolicyVersion:
    return actions.install(FIRST, actor=cast.engineer)


@pytest.fixture
def proposed(cast: Cast, first: PolicyVersion) -> PolicyVersion:
    return actions.propose(actions.draft(SECOND, actor=cast.engineer).id, actor=cast.engineer)


def events() -> list[tuple[str, dict[str, object]]]:
    entries = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event__startswith="policy:").order_by("id")]
    return [(entry["event"], entry.get("details", {})) for entry in entries]


def test_the_first_version_is_installed_and_says_so(first: PolicyVersion) -> None:
    assert (first.number, first.status, first.approved_by) == (1, Status.ACTIVE, None)
    assert events() == [("policy:activated", {"bootstrap": True, "replaces": None})]


def test_only_the_first_is_installed(cast: Cast, first: PolicyVersion) -> None:
    with pytest.raises(Refused, match="already"):
        actions.install(SECOND, actor=cast.engineer)


@pytest.mark.parametrize("who", ["reviewer", "owner", "ciso", "auditor", "outsider"])
def test_only_engineers_and_administrators_write(cast: Cast, who: str) -> None:
    with pytest.raises(Refused):
        actions.install(FIRST, actor=getattr(cast, who))
    with pytest.raises(Refused):
        actions.draft(FIRST, actor=getattr(cast, who))


def test_four_eyes_then_active(cast: Cast, proposed: PolicyVersion) -> None:
    before = current_revision()
    version = actions.activate(actions.approve(proposed.id, actor=cast.ciso).id, actor=cast.engineer)
    assert (version.status, version.approved_by, active()) == (Status.ACTIVE, cast.ciso, version)
    assert PolicyVersion.objects.get(number=1).status == Status.RETIRED
    assert current_revision() > before
    assert [event for event, _ in events()][1:] == ["policy:proposed", "policy:approved", "policy:activated"]


def test_nobody_approves_what_they_wrote(cast: Cast, proposed: PolicyVersion) -> None:
    with pytest.raises(Refused, match="they wrote"):
        actions.approve(proposed.id, actor=cast.engineer)
    User.objects.filter(id=cast.administrator.id).update(person=cast.engineer.person)
    with pytest.raises(Refused, match="they wrote"):
        actions.approve(proposed.id, actor=User.objects.get(id=cast.administrator.id))
    with pytest.raises(Refused):
        actions.approve(proposed.id, actor=cast.reviewer)


def test_the_database_refuses_an_own_approval_and_two_active(cast: Cast, proposed: PolicyVersion) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyVersion.objects.filter(id=proposed.id).update(approved_by=cast.engineer)
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyVersion.objects.filter(id=proposed.id).update(status=Status.ACTIVE)


def test_steps_come_in_order(cast: Cast, proposed: PolicyVersion) -> None:
    with pytest.raises(Stale):
        actions.activate(proposed.id, actor=cast.engineer)
    with pytest.raises(Stale):
        actions.propose(proposed.id, actor=cast.engineer)
    with pytest.raises(NotFound):
        actions.approve(new_id(), actor=cast.ciso)
    with pytest.raises(Refused, match="author"):
        actions.propose(actions.draft(FIRST, actor=cast.engineer).id, actor=cast.administrator)


def test_rolling_back_takes_a_reason_and_an_earlier_version(cast: Cast, proposed: PolicyVersion) -> None:
    actions.activate(actions.approve(proposed.id, actor=cast.ciso).id, actor=cast.engineer)
    with pytest.raises(Invalid, match="reason"):
        actions.rollback(1, actor=cast.engineer, reason=" ")
    with pytest.raises(NotFound):
        actions.rollback(9, actor=cast.engineer, reason="Too strict.")
    with pytest.raises(Stale):
        actions.rollback(2, actor=cast.engineer, reason="Too strict.")
    assert actions.rollback(1, actor=cast.engineer, reason="Too strict.").status == Status.ACTIVE
    details = events()[-1][1]
    assert (details["rollback"], details["replaces"]) == (True, 2)
    reason = str(details["reason"])
    assert personal.openings([reason])[reason].text == "Too strict."


def test_bad_text_is_refused_with_its_line_and_replaces_nothing(cast: Cast, first: PolicyVersion) -> None:
    with pytest.raises(Invalid, match=r"Line 2: .*no group") as refused:
        actions.draft('\n@id("x") @hold("dbas:1") forbid (principal, action, resource);', actor=cast.engineer)
    assert "dba" in refused.value.remedy
    with pytest.raises(Invalid):
        actions.draft("permit(", actor=cast.engineer)
    assert active() == first


def test_policies_are_read_by_those_who_work_by_them(cast: Cast, first: PolicyVersion) -> None:
    assert visible_to(cast.reviewer).get() == first
    assert not visible_to(cast.outsider).exists()


def test_what_a_version_changes_is_said_in_words_by_page_and_by_api(cast: Cast, proposed: PolicyVersion) -> None:
    page = browser(cast.ciso).get(f"/policies/{proposed.number}/").content.decode()
    assert "1 policy allows less" in page
    assert "Becomes held" in page
    assert "Every agent: whatever they do at every resource, held for dba:1, up to 15 min." in page
    api = Caller(cast.ciso)
    status, said = api.post("policies/differences", {"text": SECOND})
    assert (status, said["against"], [one["policy"] for one in said["differences"]]) == (200, 1, ["b"])
    assert (
        api.post("policies/differences", {"text": FIRST, "against": proposed.number})[1]["in_short"]
        == "1 policy allows more"
    )
    assert api.post("policies/differences", {"text": SECOND, "against": proposed.number})[1]["differences"] == []
    assert api.post("policies/differences", {"text": FIRST, "against": 99})[0] == 404
    assert api.post("policies/differences", {"text": "permit("})[0] == 422
    assert Caller(cast.reviewer).post("policies/differences", {"text": FIRST})[0] in {403, 404}
    changed(proposed, text="permit(")
    assert "Becomes" not in browser(cast.ciso).get(f"/policies/{proposed.number}/").content.decode()


def test_the_editor_is_told_what_is_wrong_by_line(cast: Cast) -> None:
    client = browser(cast.engineer)
    said = client.post(
        "/policies/new/check/",
        {"text": 'permit (principal, action, resource);\r\n@id("x") @hld("a:1") permit (principal, action, resource);'},
    ).json()
    assert [(one["line"], one["reason"]) for one in said["problems"]] == [
        (1, "The policy has no @id."),
        (2, "There is no annotation @hld."),
    ]
    assert client.post("/policies/new/check/", {"text": FIRST}).json() == {"problems": []}
    assert browser(cast.ciso).post("/policies/new/check/", {"text": FIRST}).status_code == 404
    assert not PolicyVersion.objects.exists()
