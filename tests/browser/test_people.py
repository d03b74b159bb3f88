"""An administrator invites somebody who then signs in; the bell rings without a reload; the same by command."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Ask
from tests.browser.people import PHONE, Desk, violations
from tests.commands import typed
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

DELETE = "DELETE FROM order_items WHERE order_id = {}"
WORD = "correct horse battery 9"


def test_an_administrator_invites_and_the_invited_signs_in(desk: Desk) -> None:
    with desk.signed_in("ada") as page:
        page.get_by_role("link", name="Invite a person").click()
        page.get_by_label("Name", exact=True).fill("Nina Berg")
        page.get_by_label("User name").fill("nina")
        page.get_by_label("E-mail").fill("nina@example.com")
        page.get_by_label("Reviewer").check()
        page.get_by_label("security").check()
        page.get_by_role("button", name="Invite").click()
        expect(page.get_by_role("heading", name="Nina Berg is invited")).to_be_visible()
        link = page.locator("#invitation-link").inner_text()
        assert violations(page) == []
    with desk.context(PHONE) as context:
        door = context.new_page()
        door.goto(link)
        expect(door.get_by_role("heading", name="Welcome, Nina Berg")).to_be_visible()
        assert violations(door) == []
        door.get_by_label("Password").fill(WORD)
        door.get_by_label("The same again").fill(WORD)
        door.get_by_role("button", name="Set the password").click()
        door.get_by_label("User name").fill("nina")
        door.get_by_label("Password").fill(WORD)
        door.get_by_role("button", name="Sign in").click()
        expect(door.get_by_role("heading", name="Needs you")).to_be_visible()
        door.goto(link)
        expect(door.get_by_role("heading", name="This invitation was used")).to_be_visible()


def test_the_bell_rings_without_a_reload_and_leads_to_the_hold(desk: Desk, ask: Ask) -> None:
    with desk.signed_in("maya") as page:
        page.goto(desk.address("/notifications/"))
        if page.get_by_role("button", name="Mark all read").is_visible():
            page.get_by_role("button", name="Mark all read").click()
        bell = page.locator("a[data-bell]")
        expect(bell.locator(".rail-count")).to_be_hidden()
        asked = ask("cleanup.production", DELETE.format(46), purpose="Ticket 4505")
        path = "/queue/" + asked.held().partition("/queue/")[2]
        expect(bell.locator(".rail-count")).to_be_visible(timeout=4000)
        bell.click()
        page.get_by_role("link", name=re.compile("A hold waits for your review")).first.click()
        expect(page).to_have_url(re.compile(re.escape(path)))
        expect(page.get_by_role("button", name="Approve once")).to_be_visible()


def test_people_and_groups_by_command(server: RunningServer) -> None:
    def types(*arguments: str, says: str, status: int = 0) -> None:
        code, out, complaints = typed(server.state, *arguments)
        assert code == status, out + complaints
        assert says in out + complaints

    ada, anders = ("--as", "ada"), ("--as", "anders")
    types("group", "create", "night", *ada, says="There is a group night.")
    types(
        "person", "invite", "nils", "--name", "Nils", "--email", "nils@example.com", "--role", "reviewer",
        "--group", "night", *ada, says="/invitation/",
    )  # fmt: skip
    types("group", "let-review", "night", "resource", "shop", *ada, says="review what concerns shop")
    types("group", "confirm", "night", "nils", *ada, says="A second administrator has to confirm", status=1)
    types("group", "confirm", "night", "nils", *anders, says="for what was asked before, too.")
    types("person", "roles", "nils", "reviewer", "administrator", *ada, says="has yet to confirm: appoint.")
    types("person", "confirm", "nils", *anders, says="appoint of nils is confirmed.")
    types(
        "person", "invite", "nils", "--name", "N", "--email", "n@example.com", *ada, says="already a person", status=1
    )
    types("person", "link", "nils", "otto", *ada, says="are one person")
    types("person", "deactivate", "nils", *ada, says="nils is deactivated.")
    types("person", "list", *ada, says="nils\tNils\tclosed\tadministrator, reviewer\tnight")
    types("group", "stop-review", "night", "resource", "shop", *ada, says="no longer review")
