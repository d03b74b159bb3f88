"""The CISO's morning, by keyboard alone: from the posture to the rows behind a figure, to one action, to who falls short."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.people import LAPTOP, PHONE, Desk

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


def _go(page: Page, link: Locator) -> None:
    """Reach a link by Tab alone, see that it shows the focus, and follow it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if link.evaluate("one => one === document.activeElement"):
            break
    expect(link).to_be_focused()
    # A link that fills its row draws the focus around the whole of it.
    drawn = "one => [one, one.closest('tr')].some(part => part && getComputedStyle(part).outlineStyle !== 'none')"
    assert link.evaluate(drawn)
    page.keyboard.press("Enter")
    page.wait_for_load_state("load")


def _number(link: Locator) -> int:
    found = re.search(r"[\d,]+", link.inner_text())
    assert found is not None
    return int(found[0].replace(",", ""))


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_from_the_posture_to_the_row_by_keyboard(desk: Desk, size: tuple[int, int]) -> None:
    with desk.signed_in("claire", size) as page:
        expect(page.get_by_role("heading", level=2, name=re.compile("^Posture"))).to_be_visible()
        figures = page.get_by_role("region", name="Key figures")
        denied = figures.get_by_role("link", name=re.compile("Denied"))
        counted = _number(denied)
        assert 0 < counted <= 50
        _go(page, denied)
        rows = page.get_by_role("region", name="Actions").locator("tbody tr")
        expect(rows).to_have_count(counted)
        _go(page, rows.first.get_by_role("link").first)
        expect(page).to_have_url(re.compile("/record/actions/"))
        expect(page.get_by_role("main")).to_contain_text("Denied")


def test_from_a_step_of_zero_trust_to_the_agents_that_fall_short(desk: Desk) -> None:
    with desk.signed_in("claire") as page:
        step = page.get_by_role("link", name=re.compile("Mutual authentication"))
        short = _number(step)
        _go(page, step)
        rows = page.get_by_role("region", name="What falls short").locator("tbody tr")
        expect(rows).to_have_count(short)
        name = rows.first.get_by_role("link").inner_text()
        _go(page, rows.first.get_by_role("link"))
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
