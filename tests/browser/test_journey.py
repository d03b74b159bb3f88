"""The main job, as the people in it live it: an agent asks, a person decides in the browser, the record proves it."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Ask
from tests.browser.people import PHONE, Desk
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("server")]

DELETE = "DELETE FROM order_items WHERE order_id = {}"


def _open(page: Page, words: str) -> None:
    """Open the row of the queue that says `words`."""
    page.get_by_role("region", name="Waiting and settled holds").get_by_role("link", name=re.compile(re.escape(words))).first.click()


def _waits(page: Page, words: str, seconds: float = 20) -> None:
    row = page.get_by_role("region", name="Waiting and settled holds").get_by_role("link", name=re.compile(re.escape(words)))
    expect(row.first).to_be_visible(timeout=1000 * seconds)


def test_an_agent_asks_a_person_approves_it_runs_once_and_the_record_proves_it(
    desk: Desk, ask: Ask, server: RunningServer, tmp_path: Path
) -> None:
    with desk.signed_in("maya") as queue:
        expect(queue.get_by_text("Live", exact=True)).to_be_visible()
        asked = ask("cleanup.production", DELETE.format(41), purpose="Ticket 4501: an order nobody paid")
        _waits(queue, "nobody has decided yet")
        _choose(queue, "Ticket 4501")
        expect(queue.get_by_text("Its claim, not checked")).to_be_visible()
        expect(queue.get_by_text("Every change to production data is approved by a database administrator.")).to_be_visible()
        assert asked.process.poll() is None, asked.said()
        queue.keyboard.press("a")
        expect(queue.get_by_text("Settled.", exact=True)).to_be_visible()
        status, said = asked.wait()
        assert status == 0, said
        assert re.search(r"DELETE \d+", said), said
        expect(queue.get_by_text(re.compile("then ran once"))).to_be_visible()
        queue.get_by_role("link", name="Replay", exact=False).last.click()
        expect(queue.get_by_role("region", name="Frames")).to_contain_text("order_id = 41")
        expect(queue.get_by_text("1 of 1 verified")).to_be_visible()
    with desk.signed_in("arthur") as record:
        record.goto(desk.address("/record/ledger/"))
        with record.expect_download() as taken:
            record.get_by_role("button", name="Take evidence").click()
        evidence = tmp_path / "evidence.zip"
        taken.value.save_as(evidence)
    checked = server.narrowgate("verify", str(evidence))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _choose(page: Page, purpose: str) -> None:
    """Open waiting holds one after the other until the one with this purpose is shown."""
    rows = page.get_by_role("region", name="Waiting and settled holds").get_by_role("link")
    for number in range(rows.count()):
        rows.nth(number).click()
        try:
            expect(page.get_by_role("region", name="Details of the hold")).to_contain_text(purpose, timeout=1500)
        except AssertionError:
            continue
        return
    raise AssertionError(f"No hold in the queue has the purpose {purpose}.")


def test_a_new_hold_is_on_the_open_queue_within_a_second(desk: Desk, ask: Ask) -> None:
    with desk.signed_in("maya") as queue:
        expect(queue.get_by_text("Live", exact=True)).to_be_visible()
        reading = queue.get_by_role("heading", level=2).first.inner_text()
        asked = ask("warehouse.production", "UPDATE orders SET status = 'shipped' WHERE id = 23", purpose="Order 23 left")
        while "narrowgate" not in asked.said().lower() and asked.process.poll() is None:
            time.sleep(0.01)  # the notice says that it is held
        held = time.monotonic()
        row = queue.get_by_role("link", name=re.compile("warehouse.production"))
        expect(row.first).to_be_visible(timeout=5000)
        assert time.monotonic() - held < 1.0
        assert queue.get_by_role("heading", level=2).first.inner_text() == reading


def test_a_denial_reaches_the_agent_with_its_reason_from_a_phone(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", DELETE.format(43), purpose="Ticket 4502")
    with desk.signed_in("jonas", PHONE, has_touch=True) as phone:
        _waits(phone, "cleanup.production")
        _choose_on_phone(phone, "order_id = 43")
        phone.get_by_text("Deny…").tap()
        phone.get_by_label("Needs a ticket").check()
        phone.get_by_label("In your words").fill("Say which customer")
        phone.get_by_role("button", name="Deny", exact=True).tap()
        expect(phone.get_by_text("Denied by Jonas Weber")).to_be_visible()
    status, said = asked.wait()
    assert status != 0
    assert "Say which customer" in said


def _choose_on_phone(page: Page, text: str) -> None:
    rows = page.get_by_role("region", name="Waiting and settled holds").get_by_role("link")
    for number in range(rows.count()):
        rows.nth(number).tap()
        body = page.get_by_role("region", name="Details of the hold")
        expect(body).to_be_visible()
        page.wait_for_timeout(300)
        if text in body.inner_text():
            return
        page.get_by_role("link", name="Back to the queue").tap()
    raise AssertionError(f"No hold in the queue says {text}.")
