"""What must not work, tried in the browser and with the browser's own session."""

import re

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.agents import Psql
from tests.browser.conftest import Ask
from tests.browser.people import Desk

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


def _path(address: str) -> str:
    return "/queue/" + address.partition("/queue/")[2]


def _approve_by_hand(page: Page, path: str, digest: str) -> int:
    """Send the form that the page does not show, with the session's own cookies and token; gives the status."""
    script = """async ([path, digest]) => {
        const token = document.querySelector('[name=csrfmiddlewaretoken]').value;
        const body = new URLSearchParams({ digest, csrfmiddlewaretoken: token });
        return (await fetch(path + 'approve/', { method: 'POST', body })).status;
    }"""
    return int(page.evaluate(script, [path, digest]))


def _hang_up(socket: WebSocketRoute) -> None:
    socket.close()


def test_the_owner_sees_it_and_cannot_approve(desk: Desk, ask: Ask, running_out: Psql) -> None:
    asked = ask("cleanup.production", "DELETE FROM order_items WHERE order_id = 45")
    path = _path(asked.held())
    with desk.signed_in("maya") as reviewer:
        reviewer.goto(desk.address(path))
        digest = reviewer.locator("[name=digest]").first.input_value()
    with desk.signed_in("omar") as owner:
        owner.goto(desk.address(path))
        expect(owner.get_by_text("You cannot review this one.")).to_be_visible()
        expect(owner.get_by_role("button", name="Approve once")).to_have_count(0)
        assert _approve_by_hand(owner, path, digest) == 403
        owner.reload()
        expect(owner.get_by_role("region", name="Details of the hold")).to_contain_text("0 of 1 person")
    assert asked.process.poll() is None


def test_an_outsider_sees_no_queue(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", "DELETE FROM order_items WHERE order_id = 46")
    path = _path(asked.held())
    with desk.signed_in("otto") as outsider:
        expect(outsider.get_by_role("heading", name=re.compile("nothing here for you yet"))).to_be_visible()
        expect(
            outsider.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("Queue"))
        ).to_have_count(0)
        outsider.goto(desk.address("/queue/"))
        expect(outsider.get_by_role("heading", name="There is nothing here for you.")).to_be_visible()
        outsider.goto(desk.address("/account/"))  # a page with a token for forms
        assert _approve_by_hand(outsider, path, "sha256:" + "0" * 64) == 404
        answer = outsider.goto(desk.address(path))
        assert answer is not None
        assert answer.status == 404


def test_a_changed_digest_is_refused_and_said(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", "DELETE FROM order_items WHERE order_id = 48")
    with desk.signed_in("maya") as reviewer:
        reviewer.goto(desk.address(_path(asked.held())))
        reviewer.locator(".act-approve [name=digest]").evaluate(
            "input => { input.value = 'sha256:' + '0'.repeat(64); }"
        )
        reviewer.get_by_role("button", name="Approve once").click()
        expect(reviewer.get_by_role("alert")).to_contain_text("not the action that was shown")
        expect(reviewer.get_by_role("button", name="Approve once")).to_be_enabled()
    assert asked.process.poll() is None


def test_a_lost_connection_makes_decisions_wait(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", "DELETE FROM order_items WHERE order_id = 49")
    with desk.signed_in("maya") as reviewer:
        reviewer.route_web_socket(re.compile("/ws/queue/"), _hang_up)
        reviewer.goto(desk.address(_path(asked.held())))
        expect(reviewer.get_by_text(re.compile("^Reconnecting"))).to_be_visible()
        reviewer.get_by_role("button", name="Approve once").click()
        reviewer.wait_for_timeout(500)
        expect(reviewer.get_by_role("button", name="Approve once")).to_be_visible()
    assert asked.process.poll() is None
