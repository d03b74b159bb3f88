"""An owner and an administrator at work: withdrawing one's own hold on a phone by keyboard alone, inviting somebody who then
signs in, and the bell that rings without a reload.
"""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Ask
from tests.browser.people import PHONE, Desk, sideways, violations
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

DELETE = "DELETE FROM order_items WHERE order_id = {}"
WORD = "correct horse battery 9"


def _tab_to(page: Page, control: Locator, most: int = 80) -> None:
    """Press Tab until `control` has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if control.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{most} tabs do not lead to {control}")


def test_an_owner_withdraws_their_own_hold_by_keyboard_on_a_phone_and_the_agent_is_told(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", DELETE.format(45), purpose="Ticket 4504")
    path = "/queue/" + asked.held().partition("/queue/")[2]
    with desk.signed_in("omar", PHONE) as phone:
        phone.goto(desk.address("/queue/"))
        _tab_to(phone, phone.locator(f"a.hold-row[href$='{path}']"))
        phone.keyboard.press("Enter")
        details = phone.get_by_role("region", name="Details of the hold")
        expect(details).to_contain_text("order_id = 45")
        expect(phone.get_by_text("You cannot review this one.")).to_be_visible()
        _tab_to(phone, phone.locator("summary", has_text="Withdraw…"))
        phone.keyboard.press("Enter")
        expect(phone.get_by_label("The agent and its reviewers will read this")).to_be_focused()
        assert violations(phone) == []
        assert sideways(phone) == 0
        phone.keyboard.type("The customer paid after all")
        phone.keyboard.press("Tab")
        phone.keyboard.press("Enter")
        expect(phone.get_by_text("Settled.", exact=True)).to_be_visible()
        expect(details).to_contain_text("Withdrawn by Omar Haddad: “The customer paid after all”")
    status, said = asked.wait()
    assert status != 0
    assert "The customer paid after all" in said


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
        done = server.narrowgate(*arguments)
        assert done.returncode == status, done.stdout + done.stderr
        assert says in done.stdout + done.stderr

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
