"""An auditor goes from a period to a verified package by keyboard alone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import LAPTOP, PHONE, Desk, sideways, violations
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]
FARTHEST = 80  # tabs


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted element has the focus."""
    for _ in range(FARTHEST):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"No key leads to {wanted}.")


def test_an_auditor_goes_from_a_period_to_a_verified_package(desk: Desk, server: RunningServer, tmp_path: Path) -> None:
    package = tmp_path / "evidence.zip"
    with desk.signed_in("arthur") as page:
        reach(page, page.get_by_role("link", name="Reports", exact=True))
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/record/reports/$"))
        reach(page, page.get_by_role("link", name="New report").first)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="New report")).to_be_visible()
        reach(page, page.get_by_label("Period"))
        page.keyboard.type("Last 24")
        expect(page.get_by_label("Period")).to_have_value("24h")
        reach(page, page.get_by_role("button", name="Make it"))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Ready", exact=True).first).to_be_visible(timeout=60_000)
        expect(page.get_by_role("main")).to_contain_text("waited for people")
        assert violations(page) == []
        take = page.get_by_role("button", name="Take the Package of evidence (ZIP)")
        reach(page, take)
        with page.expect_download() as taken:
            page.keyboard.press("Enter")
        taken.value.save_as(package)
        address = page.url
    assert re.fullmatch(
        r"narrowgate-oversight-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d-\w{6}\.zip", taken.value.suggested_filename
    )
    checked = server.narrowgate("verify", str(package))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "the report's 4 files" in checked.stdout
    with desk.signed_in("claire", PHONE, color_scheme="dark") as phone:
        phone.goto(address)
        assert violations(phone) == []
        assert sideways(phone) == 0
        expect(phone.get_by_role("link", name="Files")).to_be_visible()
    with desk.signed_in("maya", LAPTOP) as other:
        answer = other.goto(address)
        assert answer is not None
        assert answer.status == 404


def test_a_report_that_cannot_be_made_keeps_what_was_typed(desk: Desk) -> None:
    with desk.signed_in("arthur") as page:
        page.goto(desk.address("/record/reports/new/"))
        page.get_by_label("About").select_option("agent")
        page.get_by_label("Its name").fill("suport")
        page.get_by_label("CSV").uncheck()
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_text("There is no agent of that name.")).to_be_visible()
        expect(page.get_by_label("Its name")).to_have_value("suport")
        expect(page.get_by_label("CSV")).not_to_be_checked()
        assert violations(page) == []
