"""One person rolls back; another looks at it within a day, and is chased until somebody has."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.erasure import WORDS
from accounts.models import User
from approvals.notifications.audience import audience
from approvals.notifications.told import Told
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from core.ids import new_id
from ledger import personal
from ledger.events import Event
from ledger.models import Outbox
from monitoring.posture import posture_of
from policies import actions, rollback_actions
from policies.forgetting import forget
from policies.models import PolicyRollback
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
FIRST = '@id("a") permit (principal, action in Action::"sql:read", resource);'
SECOND = '@id("b") permit (principal, action in Action::"sql:read", resource);'


@pytest.fixture
def rollback(cast: Cast) -> PolicyRollback:
    """The engineer rolled back from version 2 to version 1."""
    actions.install(FIRST, actor=cast.engineer)
    proposed = actions.propose(actions.draft(SECOND, actor=cast.engineer).id, actor=cast.engineer)
    actions.activate(actions.approve(proposed.id, actor=cast.ciso).id, actor=cast.engineer)
    actions.rollback(1, actor=cast.engineer, reason="Reports broke.")
    return PolicyRollback.objects.get()


def entries(event: Event) -> list[dict[str, object]]:
    return [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event=event).order_by("id")]


def test_a_roll_back_waits_a_day_for_somebody_else(cast: Cast, rollback: PolicyRollback) -> None:
    assert rollback.replaced is not None
    assert (rollback.version.number, rollback.replaced.number, rollback.by) == (1, 2, cast.engineer)
    assert rollback.due_at - rollback.at == timedelta(hours=24)
    reviewed = rollback_actions.review(rollback.id, actor=cast.ciso, found="It was right.")
    assert (reviewed.reviewed_by, reviewed.found) == (cast.ciso, "It was right.")
    (entry,) = entries(Event.POLICY_ROLLBACK_REVIEWED)
    details = entry["details"]
    assert isinstance(details, dict)
    assert details["rollback"] == str(rollback.id)
    assert personal.openings([details["found"]])[details["found"]].text == "It was right."


def test_who_may_not_review_it(cast: Cast, rollback: PolicyRollback) -> None:
    with pytest.raises(Refused, match="their own"):
        rollback_actions.review(rollback.id, actor=cast.engineer, found="Fine.")
    User.objects.filter(id=cast.administrator.id).update(person=cast.engineer.person)
    with pytest.raises(Refused, match="their own"):
        rollback_actions.review(rollback.id, actor=User.objects.get(id=cast.administrator.id), found="Fine.")
    for person in (cast.reviewer, cast.auditor, cast.owner, cast.outsider):
        with pytest.raises(Refused):
            rollback_actions.review(rollback.id, actor=person, found="Fine.")
    with pytest.raises(Invalid):
        rollback_actions.review(rollback.id, actor=cast.ciso, found=" ")
    with pytest.raises(NotFound):
        rollback_actions.review(new_id(), actor=cast.ciso, found="Fine.")
    rollback_actions.review(rollback.id, actor=cast.ciso, found="Fine.")
    with pytest.raises(AlreadySettled):
        rollback_actions.review(rollback.id, actor=cast.second_administrator, found="Fine.")
    with pytest.raises(IntegrityError), transaction.atomic():
        PolicyRollback.objects.update(reviewed_by=cast.engineer)


def test_it_is_chased_once_a_day_until_somebody_has_looked(cast: Cast, rollback: PolicyRollback) -> None:
    assert rollback_actions.chase() == 0
    PolicyRollback.objects.update(due_at=db_now())
    assert (rollback_actions.chase(), rollback_actions.chase()) == (1, 0)
    PolicyRollback.objects.update(chased_at=db_now() - timedelta(hours=24))
    assert rollback_actions.chase() == 1
    assert len(entries(Event.POLICY_ROLLBACK_OVERDUE)) == 2
    rollback_actions.review(rollback.id, actor=cast.ciso, found="Fine.")
    PolicyRollback.objects.update(chased_at=db_now() - timedelta(hours=24))
    assert rollback_actions.chase() == 0


def told(event: Event, rollback: PolicyRollback, actor: str) -> set[str]:
    version = rollback.version
    one = Told(1, new_id(), event, db_now(), actor, version.id, str(version))
    return {telling.person.username for telling in audience([one])}


def test_everybody_else_who_may_is_told_at_once_and_when_it_is_late(cast: Cast, rollback: PolicyRollback) -> None:
    others = {cast.ciso.username, cast.administrator.username, cast.second_administrator.username}
    assert told(Event.POLICY_ACTIVATED, rollback, str(cast.engineer.id)) == others
    assert told(Event.POLICY_ROLLBACK_OVERDUE, rollback, "system") == others
    rollback_actions.review(rollback.id, actor=cast.ciso, found="Fine.")
    assert told(Event.POLICY_ACTIVATED, rollback, str(cast.engineer.id)) == set()


def test_by_page_by_api_and_on_the_posture(cast: Cast, rollback: PolicyRollback) -> None:
    assert any("roll-back of the policies waits" in one for one in posture_of(timedelta(hours=1), db_now()).worries)
    own = browser(cast.engineer).get("/policies/").content.decode()
    assert "Reports broke." in own
    assert "I have looked at it" not in own
    page, address = browser(cast.ciso), f"/policies/rollbacks/{rollback.id}/review/"
    assert "I have looked at it" in page.get("/policies/").content.decode()
    refused = page.post(address, {"found": ""})
    assert (refused.status_code, b"Say what you found" in refused.content) == (422, True)
    refused = browser(cast.engineer).post(address, {"found": "Fine."})
    assert (refused.status_code, b"Nobody reviews their own" in refused.content) == (422, True)
    assert Caller(cast.engineer).post("policies/1/review-rollback", {"found": "Fine."})[0] == 403
    assert Caller(cast.administrator).post("policies/2/review-rollback", {"found": "Fine."})[0] == 404
    assert page.post(address, {"found": "It was right."}).status_code == 302
    assert page.post(address, {"found": "It was right."}).status_code == 404
    assert "put back in force" not in page.get("/policies/").content.decode()
    assert Caller(cast.administrator).post("policies/1/review-rollback", {"found": "Fine."})[0] == 404
    assert not any("roll-back" in one for one in posture_of(timedelta(hours=1), db_now()).worries)


def test_the_words_of_whoever_is_erased_go(cast: Cast, rollback: PolicyRollback) -> None:
    rollback_actions.review(rollback.id, actor=cast.ciso, found="It was right.")
    forget(cast.engineer)
    forget(cast.ciso)
    rollback.refresh_from_db()
    assert (rollback.reason, rollback.found) == (WORDS, WORDS)
