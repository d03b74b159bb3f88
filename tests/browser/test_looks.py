"""Every page on a laptop and on a phone, in the light and in the dark: axe finds nothing, nothing scrolls sideways, no
script fails.
"""

import re

import pytest
from playwright.sync_api import Page, StorageState, expect

from tests.browser.people import LAPTOP, PHONE, Desk, Theme, contrast_violations, sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

# Who opens which page; a link in the second place is followed from the page before it, a last part is below that page.
PAGES = {
    "maya": [
        "/queue/grants/",
        "/queue/glass/",
        "/queue/figures/",
        "/queue/away/",
        "/queue/",
        "a.hold-row",
        "a.hold-row.is-done",
        "/notifications/",
        "/notifications/choices/",
    ],
    "claire": [
        "/posture/",
        "/posture/?period=30d",
        "/incidents/",
        "/incidents/?status=resolved&sort=-severity",
        "/incidents/?agent=nobody-at-all",
        "/incidents/signals/",
        "/posture/steps/authentication/",
        "/posture/decisions/",
        "/posture/marks/",
        "/record/",
        "a.row-link",
        "cut/",
    ],
    "arthur": [
        "/record/",
        "a.row-link",
        "/record/actions/?decision=hold",
        "a.row-link",
        "/record/ledger/",
        "a.row-link",
        "/record/?agent=nobody-at-all",
        "/record/actions/?agent=nobody-at-all",
        "/record/actions/erase/?decision=deny",
        "/record/erasures/",
        "/record/reports/new/",
        "/record/reports/?status=failed",
    ],
    "erik": [
        "/agents/?sort=last",
        "a.row-link",
        "/agents/reports.staging/edit/",
        "/agents/reports.staging/keys/add/",
        "/agents/reports.staging/",
        "#public-keys dd a",
        "/agents/support.production.01/permissions/",
        "/resources/r/shop/reach/",
        "/resources/segments/map/",
        "/agents/file/",
        "/resources/r/shop/login/actions/rotate/",
        "/resources/add/?kind=ssh",
        "/agents/reports.staging/suspend/",
        "/agents/reports.staging/retire/",
        "/agents/?q=nothing-like-it",
        "/agents/credentials/",
        "/agents/credentials/?agent=nobody-at-all",
        "/resources/r/shop/",
        "/resources/detectors/",
        "/resources/detectors/write/",
        "/resources/r/shop/detectors/",
        "/resources/r/shop/edit/",
        "/resources/r/shop/retire/",
        "/resources/segments/payments/edit/",
        "/resources/segments/payments/retire/",
        "/policies/",
        "/policies/new/",
        "/policies/packs/",
        "/policies/packs/production-database/",
        "/policies/1/",
        "/start/",
        "/account/2fa/",
        "/account/password/change/",
    ],
    "ada": [
        "/people/",
        "/people/?q=nobody-at-all",
        "/people/maya/",
        "/invite/",
        "/people/maya/deactivate/",
        "/groups/",
        "/groups/dba/",
        "/account/",
        "/account/delegations/",
        "/stop/",
        "/stop/owner/?of=omar",
        "/stop/owner/?of=nobody",
        "/stop/everything/",
        "/webhooks/",
        "/webhooks/add/",
        "/deliveries/",
        "/deliveries/?status=dropped&channel=push",
    ],
    "otto": [
        "/",
        "/nowhere/",
        "/help/",
        "/help/?q=masked+column",
        "/help/?q=no-such-words",
        "/help/reviewer/",
        "/help/policy-reference/",
        "/help/api/",
    ],
}
SIGHTS: list[tuple[Theme, Theme, tuple[int, int]]] = [("light", "dark", LAPTOP), ("dark", "light", PHONE)]


@pytest.mark.parametrize(("theme", "other", "size"), SIGHTS, ids=["laptop", "phone"])
@pytest.mark.parametrize("who", PAGES)
def test_a_page_is_sound(desk: Desk, who: str, theme: Theme, other: Theme, size: tuple[int, int]) -> None:
    with desk.signed_in(who, size, color_scheme=theme, reduced_motion="reduce") as page:
        for step in PAGES[who]:
            _go(desk, page, step)
            assert violations(page) == [], page.url
            assert sideways(page) == 0, page.url
            expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
            # The colours are all that the theme changes, so they are all that is looked at again.
            page.emulate_media(color_scheme=other)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", other)
            assert contrast_violations(page) == [], page.url
            page.emulate_media(color_scheme=theme)


def _go(desk: Desk, page: Page, step: str) -> None:
    if step.startswith("/"):
        page.goto(desk.address(step))
        return
    if step.endswith("/"):
        page.goto(page.url + step)
        return
    if page.get_by_role("link", name="Back to the queue").is_visible():
        page.get_by_role("link", name="Back to the queue").click()
    path = page.locator(step).first.get_attribute("href") or ""
    page.locator(f'{step}[href="{path}"]').first.click()  # a list that follows along may have another first by now
    expect(page).to_have_url(re.compile(re.escape(path)))
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("theme", "other", "size"), SIGHTS, ids=["laptop", "phone"])
def test_the_door_is_sound_and_says_what_was_wrong(
    desk: Desk, theme: Theme, other: Theme, size: tuple[int, int]
) -> None:
    with desk.context(size, color_scheme=theme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(desk.address("/posture/"))
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert violations(page) == []
        page.get_by_label("User name").fill("nobody")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert violations(page) == []
        assert sideways(page) == 0
        page.emulate_media(color_scheme=other)
        expect(page.locator("html")).to_have_attribute("data-bs-theme", other)
        assert contrast_violations(page) == []


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_a_version_is_tried_by_keyboard(desk: Desk, size: tuple[int, int]) -> None:
    with desk.signed_in("erik", size, reduced_motion="reduce") as page:
        page.goto(desk.address("/policies/1/"))
        page.get_by_label("On what happened in").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/policies/1/trials/"))
        expect(page.get_by_text("none would have gone otherwise")).to_be_visible(timeout=60_000)
        assert violations(page) == []
        assert sideways(page) == 0


def test_a_version_is_written_by_keyboard_and_what_is_wrong_is_told_at_its_line(desk: Desk) -> None:
    with desk.signed_in("erik", reduced_motion="reduce") as page:
        page.goto(desk.address("/policies/new/"))
        editor = page.get_by_role("textbox", name="All policies")
        editor.focus()
        page.keyboard.press("Control+a")
        page.keyboard.type('@id("x") @hld("dba:1")\npermit (principal, action, resource);')
        expect(page.get_by_text("1 problem, the first in line 1.")).to_be_visible()
        expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
        assert violations(page) == []
        page.keyboard.press("Tab")  # indents
        expect(editor).to_be_focused()
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Test cases")).to_be_focused()
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("alert").filter(has_text="Did you mean @hold?")).to_be_visible()
        expect(page.get_by_role("textbox", name="All policies")).to_contain_text("@hld")  # what was typed is kept


def test_without_scripts_a_version_is_written_in_a_field(desk: Desk) -> None:
    with desk.context(java_script_enabled=False, storage_state=_signed_in(desk)) as context:
        page = context.new_page()
        page.goto(desk.address("/policies/new/"))
        page.get_by_label("All policies").fill("permit (")
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.get_by_label("All policies")).to_have_value("permit (")


def _signed_in(desk: Desk) -> StorageState:
    with desk.signed_in("erik") as page:
        return page.context.storage_state()


def test_keys_and_menus_work_without_a_mouse(desk: Desk) -> None:
    with desk.signed_in("maya", afresh=True) as page:
        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keys")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        first = page.locator("#hold-title").inner_text()
        page.keyboard.press("j")
        expect(page.locator("#hold-title")).not_to_have_text(first)
        page.keyboard.press("k")
        expect(page.locator("#hold-title")).to_have_text(first)
        page.keyboard.press("/")
        expect(page.get_by_label("Find in the queue")).to_be_focused()
        page.keyboard.type("no such hold")
        expect(page.get_by_text("No hold here matches.")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("d")
        expect(page.get_by_label("In your words")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_label("In your words")).to_be_hidden()
        page.locator("summary", has_text="You").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_theme_is_remembered_whatever_the_system_prefers(desk: Desk) -> None:
    with desk.signed_in("claire", afresh=True, color_scheme="dark") as page:
        page.emulate_media(color_scheme="light")
        page.get_by_role("button", name="Theme").first.click()
        page.reload()
        page.emulate_media(color_scheme="dark")
        page.emulate_media(color_scheme="light")
        assert page.locator("html").get_attribute("data-bs-theme") == "dark"


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_many_policies_are_read_beside_the_request_and_what_is_wrong_is_told(desk: Desk, size: tuple[int, int]) -> None:
    many = "\n".join(
        f'@id("n{n}") permit (principal in Function::"f{n}{size[0]}", action, resource);' for n in range(1_050)
    )
    with desk.signed_in("erik", java_script_enabled=False) as page:
        page.goto(desk.address("/policies/new/"))
        page.get_by_label("All policies").fill(
            f'{many}\n@id("x") @hold("nobody:1") forbid (principal, action, resource);'
        )
        page.get_by_role("button", name="Propose it").click()
        expect(page).to_have_url(re.compile("/policies/intakes/"))
        where = page.url
    with desk.signed_in("erik", size, reduced_motion="reduce") as page:
        page.goto(where)
        assert violations(page) == []
        expect(page.get_by_text("Line 1051: There is no group")).to_be_visible(timeout=60_000)
        assert violations(page) == []
        assert sideways(page) == 0
        page.get_by_role("link", name="Go on writing").click()
        expect(page.get_by_role("textbox", name="All policies")).to_contain_text("n0")
