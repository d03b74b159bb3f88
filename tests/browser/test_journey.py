"""The main job, as the people in it live it: an agent asks, a person decides in the browser, the record proves it."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Ask
from tests.browser.people import PHONE, Desk
from tests.serving import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

DELETE = "DELETE FROM order_items WHERE order_id = {}"


def _path(address: str) -> str:
    return address.partition("/queue/")[2]


def test_an_agent_asks_a_person_approves_it_runs_once_and_the_record_proves_it(
    desk: Desk, ask: Ask, server: RunningServer, tmp_path: Path
) -> None:
    with desk.signed_in("maya") as queue:
        expect(queue.get_by_text("Live", exact=True)).to_be_visible()
        asked = ask("cleanup.production", DELETE.format(41), purpose="Ticket 4501: an order nobody paid")
        row = queue.get_by_role("region", name="Waiting and settled holds").locator(f"a[href$='{_path(asked.held())}']")
        expect(row).to_be_visible(timeout=1000)
        row.click()
        details = queue.get_by_role("region", name="Details of the hold")
        expect(details).to_contain_text("order_id = 41")
        expect(details).to_contain_text("“Ticket 4501: an order nobody paid”")
        expect(details).to_contain_text("Its claim, not checked")
        expect(details).to_contain_text("Every change to production data is approved by a database administrator.")
        assert asked.process.poll() is None, asked.said()
        queue.keyboard.press("a")
        expect(queue.get_by_text("Settled.", exact=True)).to_be_visible()
        status, said = asked.wait()
        assert status == 0, said
        assert re.search(r"DELETE \d+", said), said
        expect(details).to_contain_text("then ran once")
        queue.get_by_role("link", name="Replay").last.click()
        frames = queue.get_by_role("region", name="Frames")
        expect(frames).to_contain_text("order_id = 41")
        expect(frames).to_contain_text("Maya Okafor approved")
        expect(queue.get_by_text("1 of 1 verified")).to_be_visible()
    evidence = tmp_path / "evidence.zip"
    with desk.signed_in("arthur") as record:
        record.goto(desk.address("/record/ledger/"))
        with record.expect_download() as taken:
            record.get_by_role("button", name="Take evidence").click()
        taken.value.save_as(evidence)
    checked = server.narrowgate("verify", str(evidence))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_new_hold_is_on_the_open_queue_within_a_second_and_moves_nothing(desk: Desk, ask: Ask) -> None:
    with desk.signed_in("maya") as queue:
        expect(queue.get_by_text("Live", exact=True)).to_be_visible()
        reading = queue.locator("#hold-title").inner_text()
        asked = ask(
            "warehouse.production", "UPDATE orders SET status = 'shipped' WHERE id = 23", purpose="Order 23 left"
        )
        path = _path(asked.held())
        told = time.monotonic()
        row = queue.get_by_role("region", name="Waiting and settled holds").locator(f"a[href$='{path}']")
        expect(row).to_be_visible(timeout=1000)
        assert time.monotonic() - told < 1.0
        assert queue.locator("#hold-title").inner_text() == reading
        assert re.match(r"\(\d+\) Queue", queue.title())


def test_a_denial_on_a_phone_reaches_the_agent_with_its_reason(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", DELETE.format(43), purpose="Ticket 4502")
    address = asked.held()
    with desk.signed_in("jonas", PHONE, has_touch=True) as phone:
        phone.get_by_role("region", name="Waiting and settled holds").locator(f"a[href$='{_path(address)}']").tap()
        expect(phone.get_by_role("region", name="Details of the hold")).to_contain_text("order_id = 43")
        phone.get_by_text("Deny…").tap()
        phone.get_by_label("Needs a ticket").check()
        phone.get_by_label("In your words").fill("Say which customer")
        phone.get_by_role("button", name="Deny", exact=True).tap()
        expect(phone.get_by_text("Denied by Jonas Weber")).to_be_visible()
        phone.get_by_role("link", name="Back to the queue").tap()
        expect(phone.get_by_role("heading", name="Needs you")).to_be_visible()
    status, said = asked.wait()
    assert status != 0
    assert "Say which customer" in said


def test_two_people_look_one_decides_and_the_other_is_told(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", DELETE.format(44), purpose="Ticket 4503")
    path = "/queue/" + _path(asked.held())
    with desk.signed_in("maya") as first, desk.signed_in("jonas") as second:
        first.goto(desk.address(path))
        second.goto(desk.address(path))
        expect(second.get_by_role("button", name="Approve once")).to_be_enabled()
        first.get_by_role("button", name="Approve once").click()
        expect(second.get_by_text("Settled.", exact=True)).to_be_visible()
        expect(second.get_by_role("button", name="Approve once")).to_have_count(0)
        expect(second.get_by_role("region", name="Details of the hold")).to_contain_text("Maya Okafor")
    assert asked.wait()[0] == 0
