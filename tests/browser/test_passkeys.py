"""A decision that takes a passkey, with Chromium's own authenticator: added on the account's page, asked for at the hold, kept in the record."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Ask
from tests.browser.people import Desk, violations
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


def authenticator(page: Page) -> Callable[[bool], object]:
    """A platform authenticator, as a laptop's with a fingerprint; what it gives says whether it knows its user from then on."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    made = session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    known = {"authenticatorId": made["authenticatorId"]}
    return lambda verified: session.send("WebAuthn.setUserVerified", {**known, "isUserVerified": verified})


@contextmanager
def passkey(page: Page, desk: Desk, username: str) -> Iterator[None]:
    """One that is added on the account's own pages, and removed there in the end: others sign in by password alone."""
    page.goto(desk.address("/account/2fa/webauthn/add/"))
    if page.get_by_role("button", name="Confirm").is_visible():
        page.get_by_label("Password").fill(desk.person(username)["password"])
        page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Laptop")
    with page.expect_navigation():
        page.get_by_role("button", name="Add").click()
    try:
        yield
    finally:
        page.goto(desk.address("/account/2fa/webauthn/"))
        page.get_by_role("link", name="Remove").click()
        with page.expect_navigation():
            page.get_by_role("button", name="Remove").click()


def test_an_approval_is_signed_with_a_passkey_and_the_record_proves_it(
    desk: Desk, ask: Ask, server: RunningServer, tmp_path: Path
) -> None:
    asked = ask("cleanup.production", "TRUNCATE orders", purpose="Ticket 4800")
    address = asked.held()
    with desk.signed_in("maya", afresh=True) as page:
        authenticator(page)
        page.goto(address)
        expect(page.get_by_text("Policy asks for a passkey here, and you have none.")).to_be_visible()
        expect(page.get_by_role("link", name="Add a passkey")).to_be_visible()
        with passkey(page, desk, "maya"):
            page.goto(address)
            approve = page.get_by_role("button", name=re.compile("Approve with passkey"))
            expect(approve).to_be_visible()
            expect(page.locator("[data-arms]")).to_have_count(0)
            page.keyboard.press("a")
            expect(page.get_by_text("Settled.", exact=True)).to_be_visible()
    _, said = asked.wait()
    assert "permission denied for table orders" in said, said  # approved, it went to the database, once
    evidence = tmp_path / "evidence.zip"
    with desk.signed_in("arthur") as record:
        record.goto(desk.address("/record/ledger/"))
        with record.expect_download() as taken:
            record.get_by_role("button", name="Take evidence").click()
        taken.value.save_as(evidence)
    checked = server.narrowgate("verify", str(evidence))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "signed with a passkey, over what each decided: 1" in checked.stdout


def test_a_passkey_that_does_not_answer_decides_nothing(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", "TRUNCATE products", purpose="Ticket 4801")
    address = asked.held()
    with desk.signed_in("jonas", afresh=True) as page:
        knows_its_user = authenticator(page)
        with passkey(page, desk, "jonas"):
            page.goto(address)
            knows_its_user(False)
            expect(page.locator("[data-arms]")).to_have_count(0)
            page.keyboard.press("a")
            expect(page.get_by_role("alert")).to_contain_text("Nothing was decided")
            expect(page.get_by_role("button", name=re.compile("Approve with passkey"))).to_be_visible()


def test_the_glass_is_broken_by_one_and_looked_at_by_two_others(desk: Desk, ask: Ask) -> None:
    asked = ask("refunds.production", "UPDATE payments SET status = 'refunded' WHERE id = 31", purpose="Ticket 4802")
    address = asked.held()
    with desk.signed_in("jonas", afresh=True) as page:
        authenticator(page)
        with passkey(page, desk, "jonas"):
            page.goto(address)
            page.keyboard.press("b")
            page.get_by_label("What the emergency is").fill("The bank closes in ten minutes")
            page.get_by_role("button", name="Break the glass with passkey").click()
            expect(page.get_by_text("Jonas Weber alone, who broke the glass")).to_be_visible()
    status, said = asked.wait()
    assert status == 0, said
    for person, found in (("claire", "Right: the bank was closing"), ("priya", "Right, and too late to ask")):
        with desk.signed_in(person) as page:
            page.goto(address)
            page.get_by_label("What you found").fill(found)
            page.get_by_role("button", name="I have looked at it").click()
            expect(page.get_by_text(f"“{found}”").first).to_be_visible()
            assert violations(page) == []
    with desk.signed_in("arthur") as page:
        page.goto(desk.address("/queue/glass/"))
        expect(page.get_by_text("By two")).to_be_visible()
