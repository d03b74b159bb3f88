"""People at their browsers, found and driven as a person would: by role and by label."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LAPTOP, PHONE = (1440, 900), (390, 844)
Profiles = dict[tuple[object, ...], BrowserContext]
Theme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium where there is one, else Playwright's own."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Desk:
    """A browser in front of one running server, and what went wrong on its pages.

    `profiles` keep whoever signed in: each person signs in once, by the form, and has one profile for each size and
    look, which stays open. A new one fetches and reads every style, script and font again, longer than a test takes.
    """

    browser: Browser
    demo: dict[str, Any]
    profiles: Profiles = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @contextmanager
    def signed_in(
        self, username: str, size: tuple[int, int] = LAPTOP, *, afresh: bool = False, **options: Any
    ) -> Iterator[Page]:
        """A page of a person who is signed in; `afresh` for one who will sign out, or leaves something in the browser."""
        if afresh:
            with self.context(size, **options) as context, self._page(context, username) as page:
                yield page
            return
        key = (self.demo["console"], username, size, *sorted(options.items()))
        if key not in self.profiles:
            known = next((one for said, one in self.profiles.items() if said[:2] == key[:2]), None)
            kept = known.storage_state() if known else None
            self.profiles[key] = self._profile(size, storage_state=kept, **options)
        with self._page(self.profiles[key], username) as page:
            yield page

    @contextmanager
    def _page(self, context: BrowserContext, username: str) -> Iterator[Page]:
        """A new page at the person's first address, signed in by the form where the profile is not."""
        page = context.new_page()
        try:
            page.on("console", self._hear)
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.goto(f"{self.demo['console']}/")
            if page.get_by_role("heading", name="Sign in", exact=True).is_visible():
                self._sign_in(page, username)
            page.get_by_role("navigation", name="Main").wait_for()
            page.wait_for_load_state("load")  # keys are heard once the scripts run
            yield page
        finally:
            page.close()

    @contextmanager
    def context(self, size: tuple[int, int] = LAPTOP, **options: Any) -> Iterator[BrowserContext]:
        """A browser profile that nobody has used, until the block ends."""
        context = self._profile(size, **options)
        try:
            yield context
        finally:
            context.close()

    def _profile(self, size: tuple[int, int], **options: Any) -> BrowserContext:
        width, height = size
        return self.browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **options)

    def person(self, username: str) -> dict[str, Any]:
        """What the demo says of a person."""
        return next(person for person in self.demo["people"] if person["username"] == username)

    def address(self, path: str) -> str:
        """A full address on this server."""
        return f"{self.demo['console']}{path}"

    def _sign_in(self, page: Page, username: str) -> None:
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(self.person(username)["password"])
        page.get_by_role("button", name="Sign in").click()

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused request is told by its status in the console too; the tests look at the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def violations(page: Page) -> list[str]:
    """What axe finds on the page, one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return _found(page, RULES)


def contrast_violations(page: Page) -> list[str]:
    """The same of the colours alone, on a page that axe has looked at already."""
    return _found(page, {"type": "rule", "values": ["color-contrast"]})


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window: 0, or a thumb must scroll two ways."""
    return int(page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)"))


def _found(page: Page, rules: object) -> list[str]:
    asked = {"runOnly": rules, "resultTypes": ["violations"]}
    found = page.evaluate("asked => axe.run(document, asked)", asked)
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes'][:3]]}" for one in found["violations"]
    ]
