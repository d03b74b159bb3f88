"""Pictures of a running demo's pages: what the README shows, and what eyes should look at after a change."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.people import LAPTOP, PHONE, Desk, chromium

# Name, who, address, a link to follow there, theme, size.
SHOTS = (
    ("queue", "maya", "/queue/", "", "light", LAPTOP),
    ("queue-phone", "maya", "/queue/", "a.hold-row", "dark", PHONE),
    ("posture", "claire", "/posture/", "", "light", LAPTOP),
    ("replay", "arthur", "/record/?decision=deny", "a.row-link", "light", LAPTOP),
    ("ledger", "arthur", "/record/ledger/", "", "dark", LAPTOP),
)


def main() -> None:
    """Take every picture of the server whose state folder is named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--state", type=Path, default=Path(".narrowgate"))
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    asked = parser.parse_args()
    demo = json.loads((asked.state / "demo.json").read_text(encoding="utf-8"))
    asked.into.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        desk = Desk(browser, demo)
        for name, who, path, link, theme, size in SHOTS:
            with desk.signed_in(who, size, color_scheme=theme) as page:
                _visit(page, desk.address(path), link)
                page.screenshot(path=asked.into / f"{name}.png")


def _visit(page: Page, address: str, link: str) -> None:
    page.goto(address)
    if link:
        page.locator(link).first.click()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)  # fonts and the chart


if __name__ == "__main__":
    main()
