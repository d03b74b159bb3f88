"""A CISO goes from the posture to who falls short, by keyboard alone. To the rows behind a figure: `test_stories.py`."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.keyboard import press
from tests.browser.people import Desk

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


def _number(link: Locator) -> int:
    found = re.search(r"[\d,]+", link.inner_text())
    assert found is not None
    return int(found[0].replace(",", ""))


def test_the_posture_and_its_steps_lead_to_as_many_rows_as_they_say(desk: Desk) -> None:
    with desk.signed_in("claire") as page:
        denied = page.get_by_role("region", name="Key figures").get_by_role("link", name=re.compile("Denied"))
        counted = _number(denied)
        assert 0 < counted <= 50
        press(page, denied)
        expect(page.get_by_role("region", name="Actions").locator("tbody tr")).to_have_count(counted)
        page.go_back()
        step = page.get_by_role("link", name=re.compile("Mutual authentication"))
        short = _number(step)
        press(page, step)
        rows = page.get_by_role("region", name="What falls short").locator("tbody tr")
        expect(rows).to_have_count(short)
        name = rows.first.get_by_role("link").inner_text()
        press(page, rows.first.get_by_role("link"))
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
