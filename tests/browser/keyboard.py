"""A page driven without a mouse: Tab to what is wanted, see that it shows the focus, press Enter, type."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page

FARTHEST = 120  # tabs
_FOCUSED = "one => one === document.activeElement"
# A link that fills its row draws the focus around the whole of it; a field has a ring of shadow.
_DRAWN = """one => [one, one.closest('tr'), one.closest('label'), one.closest('.cm-editor')].some(part => {
    if (!part) return false;
    const style = getComputedStyle(part);
    return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
})"""


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted element has the focus, and shows it."""
    wanted.wait_for()
    element = wanted.element_handle()  # found once: by role and name that takes longer than all the keys
    for _ in range(FARTHEST):
        if element.evaluate(_FOCUSED):
            break
        page.keyboard.press("Tab")
    else:
        raise AssertionError(f"No key leads to {wanted}.")
    assert element.evaluate(_DRAWN), f"{wanted} has the focus and does not show it."


def press(page: Page, wanted: Locator) -> None:
    """Reach a link or a button, press it, and be on the page that it leads to."""
    reach(page, wanted)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state("load")


def follow(page: Page, name: str | re.Pattern[str], *, role: Any = "link") -> None:
    """Press the first link or button of that name."""
    press(page, page.get_by_role(role, name=name).first)


def fill(page: Page, **fields: str) -> None:
    """Type into fields by their names in the form, in the order given; what is there already is typed over."""
    for name, value in fields.items():
        field = page.locator(f"main [name={name}], form [name={name}]").first
        editor = page.locator(".cm-content")  # it stands in place of the field that it writes to
        reach(page, editor if field.is_hidden() else field)
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(value) if "\n" in value else page.keyboard.type(value)
        if field.is_hidden():
            page.keyboard.press("Escape")  # so that Tab leaves it, as the page says
