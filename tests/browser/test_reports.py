"""A report that cannot be made, and one that a phone shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import Desk, violations

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


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
