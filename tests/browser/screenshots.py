"""Pictures of a running demo's pages: what the README shows, and what eyes should look at after a change."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.people import LAPTOP, PHONE, Desk, chromium

# Name, who, address, links to follow there, theme, size.
SHOTS = (
    ("queue", "maya", "/queue/", (), "light", LAPTOP),
    ("queue-phone", "maya", "/queue/", ("a.hold-row",), "dark", PHONE),
    ("posture", "claire", "/posture/", (), "light", LAPTOP),
    ("incident", "claire", "/incidents/", ("a.row-link",), "light", LAPTOP),
    ("agents", "erik", "/agents/", (), "light", LAPTOP),
    ("agent", "omar", "/agents/cleanup.production/", (), "light", LAPTOP),
    ("sessions", "arthur", "/record/", (), "light", LAPTOP),
    ("actions", "arthur", "/record/actions/", (), "light", LAPTOP),
    ("action", "arthur", "/record/actions/?decision=hold&status=done", ("a.row-link",), "light", LAPTOP),
    ("replay", "arthur", "/record/?decision=deny", ("a.row-link",), "light", LAPTOP),
    ("ledger", "arthur", "/record/ledger/", (), "dark", LAPTOP),
    ("reports", "arthur", "/record/reports/new/", (), "light", LAPTOP),
    ("people", "ada", "/people/", (), "light", LAPTOP),
)
AGENT, DENIED = "support.production.02", "SELECT email FROM customers WHERE ssn LIKE '12%'"
COLOURS = 192  # of a picture: what tells it from all of them no eye sees, and a third of its size is gone


def main() -> None:
    """Take every picture of the server whose state folder is named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--state", type=Path, default=Path(".narrowgate"))
    parser.add_argument("--into", type=Path, default=Path("docs/images"))
    asked = parser.parse_args()
    demo = json.loads((asked.state / "demo.json").read_text(encoding="utf-8"))
    _misbehave(asked.state)
    asked.into.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        desk = Desk(browser, demo)
        for name, who, path, links, theme, size in SHOTS:
            with desk.signed_in(who, size, color_scheme=theme) as page:
                _visit(page, desk.address(path), links)
                _keep(page.screenshot(), asked.into / f"{name}.png")


def _misbehave(state: Path) -> None:
    """Have an agent denied five times within a minute, so that there is an incident to see."""
    command = [str(Path(sys.executable).with_name("narrowgate")), "--state", str(state), "sql", AGENT, "shop", DENIED]
    for _ in range(5):
        subprocess.run(command, capture_output=True, check=False)


def _visit(page: Page, address: str, links: Sequence[str]) -> None:
    page.goto(address)
    for link in links:
        page.locator(link).first.click()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)  # fonts and the chart


def _keep(picture: bytes, path: Path) -> None:
    """Write a picture with few colours, which is small."""
    with Image.open(BytesIO(picture)) as image:
        few = image.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


if __name__ == "__main__":
    main()
