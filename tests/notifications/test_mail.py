"""Mail: sent once it is due, tried again, given up; nothing in it that anybody typed; nothing to whom it is no longer for."""

from __future__ import annotations

import re
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from accounts import actions as people
from accounts import invitation_mail
from accounts.invitation_actions import issue
from accounts.models import Invitation, User
from accounts.tasks import send_invitations
from agents.models import Agent
from approvals import actions
from approvals.models import Hold
from approvals.notifications import mail as sending
from approvals.notifications.actions import choose
from approvals.notifications.mail import send_all_due, write
from approvals.notifications.models import Notification
from approvals.notifications.reader import turn
from approvals.outbox.actions import NOT_ANY_MORE
from approvals.outbox.models import Delivery
from approvals.outbox.retrying import PAUSES, Channel
from approvals.tasks import forget_notifications, notify, send_mail
from core.db import db_now
from tests.approvals.world import held, in_thread
from tests.cast import Cast
from tests.notifications.conftest import Telling


class Down(EmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, messages: object) -> int:
        raise SMTPServerDisconnected("Connection unexpectedly closed")


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EMAIL_BACKEND", f"{__name__}.Down")


def _asked(telling: Telling) -> Notification:
    held(telling.world)
    telling.read()
    return Notification.objects.get(person=telling.cast.reviewer)


def _mail(one: Notification) -> Delivery:
    return Delivery.objects.get(notifications=one, channel=Channel.MAIL)


def test_what_is_told_is_mailed_once_with_a_link_and_nothing_else(telling: Telling) -> None:
    Agent.objects.filter(id=telling.world.agent.id).update(name="http://evil.example/x.production")
    telling.world.agent.refresh_from_db()
    one = _asked(telling)
    assert (send_mail(), send_mail()) == (2, 0)
    sent = next(message for message in mail.outbox if message.to == ["rita@example.com"])
    assert sent.subject == "[Narrowgate] A hold waits for your review"
    links = re.findall(r"https?://\S+", str(sent.body))
    console = settings.CONSOLE_URL
    assert links == [f"{console}/notifications/{one.id}/", f"{console}/notifications/choices/"]
    assert "evil" not in sent.message().as_string()
    assert str(_mail(one).id) in sent.extra_headers["Message-ID"]


def test_the_link_leads_to_the_hold_and_marks_it_read(telling: Telling) -> None:
    one = _asked(telling)
    client = Client()
    client.force_login(telling.cast.reviewer, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.get(f"/notifications/{one.id}/").headers["Location"] == f"/queue/{one.subject}/"
    one.refresh_from_db()
    assert one.read_at is not None


@pytest.mark.usefixtures("down")
def test_a_mail_server_that_is_down_is_tried_again_with_growing_pauses_and_given_up(telling: Telling) -> None:
    one = _asked(telling)
    pauses = []
    for _ in range(len(PAUSES[Channel.MAIL]) + 1):
        Delivery.objects.filter(notifications=one).update(due_at=db_now())
        send_mail()
        delivery = _mail(one)
        pauses.append(delivery.due_at - db_now() if delivery.due_at else None)
        assert "Connection unexpectedly closed" in delivery.problem
    assert pauses[-1] is None
    for pause, expected in zip(pauses, PAUSES[Channel.MAIL], strict=False):
        assert pause is not None
        assert expected * 0.9 < pause < expected * 1.21
    assert delivery.status == Delivery.Status.GIVEN_UP
    assert one.on_page


def test_it_is_not_sent_before_it_is_due(telling: Telling) -> None:
    one = _asked(telling)
    Delivery.objects.update(due_at=db_now() + timedelta(minutes=5))
    assert send_mail() == 0
    Delivery.objects.filter(notifications=one).update(due_at=db_now())
    assert send_mail() == 1


def test_what_would_come_days_late_is_given_up(telling: Telling) -> None:
    one = _asked(telling)
    Delivery.objects.update(until=db_now() - timedelta(seconds=1))
    assert send_mail() == 0
    assert _mail(one).status == Delivery.Status.GIVEN_UP


def test_what_waits_no_longer_is_not_mailed(telling: Telling) -> None:
    one = _asked(telling)
    actions.deny(one.subject, actor=telling.cast.teammate, seen=Hold.objects.get().digest, reason="No.")
    assert send_mail() == 0
    delivery = _mail(one)
    assert (delivery.status, delivery.problem) == (Delivery.Status.DROPPED, NOT_ANY_MORE)


@pytest.mark.parametrize("why", ["closed", "left", "no review"])
def test_who_may_not_see_it_any_more_gets_no_mail(telling: Telling, why: str) -> None:
    one, cast = _asked(telling), telling.cast
    if why == "closed":
        people.deactivate(cast.reviewer, actor=cast.administrator)
    elif why == "left":
        people.remove_member(cast.reviewer.memberships.get(), actor=cast.administrator)
    else:
        people.set_roles(cast.reviewer, [], actor=cast.administrator)
    assert write(_mail(one)) is None


def test_one_without_an_address_is_told_on_the_page_alone(telling: Telling) -> None:
    User.objects.filter(id=telling.cast.reviewer.id).update(email="")
    one = _asked(telling)
    assert one.on_page
    assert not Delivery.objects.filter(notifications=one).exists()


def test_quiet_hours_put_it_off(telling: Telling) -> None:
    now = db_now()
    begins, ends = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    shown = ["review"]
    choose(actor=telling.cast.reviewer, shown=shown, mailed=shown, quiet_from=begins, quiet_until=ends, zone="UTC")
    one = _asked(telling)
    delivery = _mail(one)
    assert delivery.due_at is not None
    assert delivery.together
    assert timedelta(minutes=55) < delivery.due_at - db_now() < timedelta(minutes=65)


def test_what_came_while_it_was_quiet_comes_as_one_mail_without_what_is_overtaken(telling: Telling) -> None:
    now = db_now()
    begins, ends = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    shown = ["review"]
    choose(actor=telling.cast.reviewer, shown=shown, mailed=shown, quiet_from=begins, quiet_until=ends, zone="UTC")
    holds = [held(telling.world, text=f"DELETE FROM customers WHERE id = {number}") for number in range(3)]
    telling.read()
    held(telling.world, text="DELETE FROM customers WHERE id = 9")
    telling.read()
    actions.deny(holds[0].id, actor=telling.cast.teammate, seen=holds[0].digest, reason="No.")
    Delivery.objects.filter(person=telling.cast.reviewer).update(due_at=db_now())
    send_mail()
    (sent,) = [message for message in mail.outbox if message.to == ["rita@example.com"]]
    assert sent.subject == "[Narrowgate] 3 things to know"
    assert str(sent.body).count("A hold waits for your review") == 3


def test_two_senders_send_one(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one has claimed, another passes over."""
    _asked(telling)
    results: list[list[object]] = []
    slow = sending._send

    def slowly(delivery: Delivery) -> object:
        thread, result = in_thread(send_all_due)
        thread.join(10)
        results.append(result)
        return slow(delivery)

    monkeypatch.setattr(sending, "_send", slowly)
    send_all_due()
    assert len([message for message in mail.outbox if message.to == ["rita@example.com"]]) == 1
    assert results == [[0], [1]]  # a third passed both over, the second sent the teammate's meanwhile


def test_a_sender_that_died_is_followed_by_another_under_the_same_identifier(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _asked(telling)

    def dies(delivery: Delivery) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_send", dies)
        with pytest.raises(KeyboardInterrupt):
            send_all_due()
    assert send_all_due() == 1  # the teammate's; the other is still claimed
    Delivery.objects.filter(status=Delivery.Status.WAITING).update(due_at=db_now())  # the lease is over
    assert send_all_due() == 1
    assert {message.extra_headers["Message-ID"].partition("@")[0] for message in mail.outbox} == {
        f"<{key}" for key in Delivery.objects.values_list("id", flat=True)
    }
    assert _mail(one).tries in {1, 2}


def test_the_tasks_find_their_work_themselves(telling: Telling) -> None:
    held(telling.world)
    telling.read()
    notify()
    assert turn() is False
    assert forget_notifications() == 0


# ---- invitations ----
@pytest.mark.django_db
def test_an_invitation_is_mailed_with_a_link_that_works(cast: Cast) -> None:
    issue(cast.outsider, actor=cast.administrator)
    assert (send_invitations(), send_invitations()) == (1, 0)
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("[Narrowgate] You are invited", ["otto@example.com"])
    (link,) = re.findall(rf"{re.escape(settings.CONSOLE_URL)}(/invitation/\S+)", str(sent.body))
    assert Client().get(link).status_code == 200


@pytest.mark.django_db
def test_a_used_or_late_invitation_is_not_mailed(cast: Cast) -> None:
    issue(cast.outsider, actor=cast.administrator)
    Invitation.objects.update(expires_at=db_now())
    assert invitation_mail.send_all_due() == 0
    assert Invitation.objects.get().mail_due_at is None


@pytest.mark.django_db
@pytest.mark.usefixtures("down")
def test_an_invitation_that_could_not_be_mailed_says_so_on_the_page(cast: Cast) -> None:
    issue(cast.outsider, actor=cast.administrator)
    send_invitations()
    client = Client()
    client.force_login(cast.administrator, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert "not mailed: SMTPServerDisconnected" in client.get("/people/otto/").content.decode()
