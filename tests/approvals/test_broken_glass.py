"""Breaking the glass: only where policy lets it, by whom it names, with words and a passkey; and the two who look at it afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from approvals import actions, glass_actions, signing
from approvals.errors import QuorumLost
from approvals.models import BrokenGlass, Hold
from approvals.notifications.audience import audience
from approvals.notifications.told import Told
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound, Refused
from ledger.models import Outbox
from ledger.verify_passkeys import check
from tests.approvals.world import BOTH, World, approve, decided, held, release, request
from tests.passkeys import SoftPasskey

GLASS: Any = {"breakglass": frozenset({"dba"})}


def grave(world: World) -> Hold:
    """A hold for two people whose glass one of dba may break."""
    return actions.ask(request(world, decision=decided(BOTH, **GLASS)))


def broken(hold: Hold, by: User, reason: str = "The shop is down") -> Hold:
    passkey = SoftPasskey()
    passkey.enrol(by)
    answer = passkey.answer(signing.ask(by, signing.BREAK, [(str(hold.id), hold.digest)]))
    return glass_actions.break_glass(hold.id, actor=by, seen=hold.digest, reason=reason, passkey=answer)


def test_one_person_releases_at_once_and_the_record_says_why_and_who_signed(world: World) -> None:
    rita = world.cast.reviewer
    hold = broken(grave(world), rita)
    assert (hold.status, hold.settled_because) == (Hold.Status.APPROVED, "Rita Reviewer broke the glass.")
    entry = json.loads(bytes(Outbox.objects.get(event="hold:glass_broken").leaf))
    check(entry["details"]["passkey"], verdict="break", hold=str(hold.id), digest=hold.digest)
    assert entry["details"]["reason"].startswith("sha256:")
    assert release(hold, BOTH, **GLASS).status == Hold.Status.RELEASED
    glass = BrokenGlass.objects.get()
    assert glass.due_at - glass.at == timedelta(hours=24)


def test_the_policies_of_the_release_still_have_to_let_it(world: World) -> None:
    hold = broken(grave(world), world.cast.reviewer)
    with pytest.raises(QuorumLost):
        release(hold, BOTH)
    hold.refresh_from_db()
    assert hold.status == Hold.Status.WAITING


def test_an_approval_breaks_no_glass_and_a_broken_glass_is_no_approval(world: World) -> None:
    rita, hold = world.cast.reviewer, grave(world)
    passkey = SoftPasskey()
    passkey.enrol(rita)
    approval = passkey.answer(signing.ask(rita, signing.APPROVE, [(str(hold.id), hold.digest)]))
    with pytest.raises(Refused, match="something else"):
        glass_actions.break_glass(hold.id, actor=rita, seen=hold.digest, reason="Down", passkey=approval)
    assert not hold.reviews.exists()


def test_without_policy_words_or_a_passkey_it_stays_whole(world: World) -> None:
    rita, hold = world.cast.reviewer, grave(world)
    with pytest.raises(Refused) as refused:
        broken(held(world, BOTH, text="DELETE FROM customers WHERE id = 9"), rita)
    assert refused.value.code == "no_breakglass"
    with pytest.raises(Invalid):
        broken(hold, rita, reason=" ")
    with pytest.raises(Refused) as unsigned:
        glass_actions.break_glass(hold.id, actor=rita, seen=hold.digest, reason="Down", passkey="")
    assert unsigned.value.code == "passkey_required"
    assert not BrokenGlass.objects.exists()


@pytest.mark.parametrize("who", ["reviewer2", "owner", "deputy", "engineer", "ciso", "administrator"])
def test_nobody_else_breaks_it(world: World, who: str) -> None:
    """Not in the group that policy names, or excluded from the hold whatever their groups, or no reviewer."""
    with pytest.raises((NotEligible, NotFound)):
        broken(grave(world), getattr(world.cast, who))


def test_what_is_settled_has_no_glass_to_break(world: World) -> None:
    hold = approve(grave(world), world.cast.reviewer, world.cast.reviewer2)
    with pytest.raises(AlreadySettled):
        broken(hold, world.cast.teammate)


def test_two_others_look_at_it_and_no_more_is_asked(world: World) -> None:
    cast, hold = world.cast, grave(world)
    hold = broken(hold, cast.reviewer)
    for person in (cast.reviewer, cast.engineer, cast.administrator):
        with pytest.raises((NotEligible, NotFound)):
            glass_actions.look_at(hold.id, actor=person, found="Fine")
    with pytest.raises(Invalid):
        glass_actions.look_at(hold.id, actor=cast.ciso, found="")
    assert glass_actions.look_at(hold.id, actor=cast.ciso, found="Right").done_at is None
    with pytest.raises(NotEligible, match="have looked"):
        glass_actions.look_at(hold.id, actor=cast.ciso, found="Twice")
    assert glass_actions.look_at(hold.id, actor=cast.teammate, found="Right").done_at
    with pytest.raises(AlreadySettled):
        glass_actions.look_at(hold.id, actor=cast.reviewer2, found="Late")
    with pytest.raises(NotEligible, match="Nobody broke"):
        glass_actions.look_at(held(world, text="DELETE FROM customers").id, actor=cast.ciso, found="Nothing to see")


def test_it_is_chased_once_a_day_until_two_have_looked(world: World) -> None:
    broken(grave(world), world.cast.reviewer)
    assert glass_actions.chase() == 0
    BrokenGlass.objects.update(due_at=db_now() - timedelta(seconds=1))
    assert (glass_actions.chase(), glass_actions.chase()) == (1, 0)
    BrokenGlass.objects.update(chased_at=db_now() - timedelta(hours=25))
    assert glass_actions.chase() == 1
    BrokenGlass.objects.update(chased_at=None, done_at=db_now())
    assert glass_actions.chase() == 0


def test_everybody_whom_it_concerns_is_told_but_who_did_it(world: World) -> None:
    cast, hold = world.cast, grave(world)
    hold = broken(hold, cast.reviewer)
    told = Told(1, hold.id, "hold:glass_broken", db_now(), str(cast.reviewer.id), hold.id, "sql:delete")
    people = {one.person for one in audience([told])}
    expected = {
        cast.owner,
        cast.deputy,
        cast.ciso,
        cast.administrator,
        cast.second_administrator,
        cast.teammate,
        cast.reviewer2,
    }
    assert people == expected


def test_the_pages_let_it_be_broken_and_looked_at(world: World, client: Client) -> None:
    cast, hold = world.cast, grave(world)
    client.force_login(cast.reviewer2)
    assert "Break the glass" not in client.get(f"/queue/{hold.id}/").content.decode()
    passkey = SoftPasskey()
    passkey.enrol(cast.reviewer)
    client.force_login(cast.reviewer)
    assert "Break the glass with passkey" in client.get(f"/queue/{hold.id}/").content.decode()
    assert "Nobody has broken the glass" in client.get("/queue/glass/").content.decode()
    refused = client.post(f"/queue/{hold.id}/break/", {"digest": hold.digest, "reason": ""})
    assert (refused.status_code, b"what the emergency is" in refused.content) == (422, True)
    asked = client.post(f"/queue/{hold.id}/challenge/", {"verdict": "break"}).json()
    body = {"digest": hold.digest, "reason": "<b>Down</b>", "passkey": passkey.answer(asked)}
    assert client.post(f"/queue/{hold.id}/break/", body).status_code == 302
    client.force_login(cast.ciso)
    page = client.get(f"/queue/{hold.id}/").content.decode()
    assert "Rita Reviewer broke the glass" in page
    assert "&lt;b&gt;Down&lt;/b&gt;" in page
    assert "Rita Reviewer alone" in page
    assert client.post(f"/queue/{hold.id}/look/", {"found": ""}).status_code == 422
    assert client.post(f"/queue/{hold.id}/look/", {"found": "It was right"}).status_code == 302
    assert "1 more person looks" in client.get(f"/queue/{hold.id}/").content.decode()
    assert "Rita Reviewer" in client.get("/queue/glass/").content.decode()
