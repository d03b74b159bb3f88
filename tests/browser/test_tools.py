"""A tool server is put behind the gate by page: an administrator names its program, an engineer reads what it offers and accepts it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import LAPTOP, PHONE, Desk, contrast_violations, sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

PROGRAM = Path(__file__).parents[1] / "gateway/wire/mcp/stdio_server.py"


def test_what_a_tool_server_offers_is_read_and_accepted(desk: Desk) -> None:
    with desk.signed_in("erik", reduced_motion="reduce") as page:
        page.goto(desk.address("/resources/add/?kind=mcp"))
        page.get_by_label("Name").fill("looks-till")
        page.get_by_label("Segment").select_option(label="production")
        page.get_by_label("Host").fill("localhost")
        page.get_by_label("TLS").select_option("off")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_text("Nobody has read its list yet").first).to_be_visible()
        _sound(page)
    with desk.signed_in("ada", reduced_motion="reduce") as page:
        page.goto(desk.address("/resources/r/looks-till/tools/"))
        page.get_by_role("link", name="Have the gate run a program").click()
        page.get_by_label("Program and arguments").fill(f"{sys.executable}\n-I\n{PROGRAM}")
        _sound(page)
        page.get_by_role("button", name="Run it from now on").click()
        expect(page.get_by_role("heading", name="Quarantined")).to_be_visible(timeout=30_000)
    with desk.signed_in("erik", reduced_motion="reduce") as page:
        page.goto(desk.address("/resources/r/looks-till/tools/"))
        _sound(page)
        page.get_by_label("Accept tool folder").check()
        page.get_by_role("button", name="Accept what is ticked").click()
        expect(page.get_by_role("heading", name="Accepted")).to_be_visible()
        expect(page.get_by_role("region", name="Accepted").get_by_text("folder")).to_be_visible()
        _sound(page)


def _sound(page: Page) -> None:
    """Nothing is wrong with the page, on a laptop and on a phone."""
    for size in (PHONE, LAPTOP):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert violations(page) == [], page.url
        assert sideways(page) == 0, page.url
    page.emulate_media(color_scheme="dark")
    assert contrast_violations(page) == [], page.url
    page.emulate_media(color_scheme="light")
