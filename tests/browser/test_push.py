"""Having one's browser pushed to. Tests have no push service: what it would answer the browser with is made here, all else is the real way."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Ask
from tests.browser.people import Desk, violations

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

PUSH_SERVICE = """async () => {
  const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
  const key = await crypto.subtle.exportKey('raw', pair.publicKey);
  const made = { endpoint: 'https://push.example.com/one', getKey: name => (name === 'auth' ? new Uint8Array(16).buffer : key) };
  PushManager.prototype.subscribe = async options => { if (options.applicationServerKey.length !== 65) throw new TypeError(); return made; };
  Notification.requestPermission = async () => 'granted';
}"""


def test_a_browser_is_added_and_removed(desk: Desk) -> None:
    with desk.signed_in("maya", afresh=True) as page:
        page.goto(desk.address("/notifications/choices/"))
        page.evaluate(PUSH_SERVICE)
        page.get_by_role("button", name="Tell me on this browser").click()
        expect(page.get_by_text("This browser is told from now on")).to_be_visible()
        assert page.evaluate(
            "navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready.then(() => true)"
        )
        assert violations(page) == []
        page.get_by_role("button", name="Remove Chrome on Linux").click()
        expect(page.get_by_text("That browser is told no more.")).to_be_visible()


SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
  .map(one => ({ title: one.title, body: one.body, tag: one.tag, data: one.data }))"""
CLICKED = """async () => {
  const [shown] = await self.registration.getNotifications();
  const opened = [];
  Object.defineProperty(self.clients, 'openWindow', { value: async address => { opened.push(address); }, configurable: true });
  const click = new NotificationEvent('notificationclick', { notification: shown });
  const done = [];
  click.waitUntil = work => done.push(work);
  self.dispatchEvent(click);
  await Promise.all(done);
  return opened;
}"""
"""In the worker: what clicking the notification opens. A browser without a screen has nobody to click it, and opens no window for a script."""


def test_a_push_shows_words_of_ours_and_opens_what_it_is_about(desk: Desk, ask: Ask) -> None:
    asked = ask("cleanup.production", "DELETE FROM order_items WHERE order_id = 53")
    hold = asked.held().partition("/queue/")[2]
    with desk.signed_in("maya", afresh=True) as page:
        page.goto(desk.address("/notifications/"))
        told = page.locator("a[href^='/notifications/']").filter(has_text=re.compile("hold", re.IGNORECASE)).first
        expect(told).to_be_visible(timeout=20_000)
        place, title = str(told.get_attribute("href")), "A hold needs you"
        worker = _pushed(desk, page, {"title": title, "place": place})
        (shown,) = page.evaluate(SHOWN)
        assert shown == {"title": title, "body": "Narrowgate", "tag": place, "data": {"place": place}}
        (opened,) = worker.evaluate(CLICKED)
        assert opened == desk.address(place)
        page.goto(opened)
        expect(page).to_have_url(re.compile(f"/queue/{hold}"))


def test_a_push_that_says_nothing_sensible_is_shown_as_one_that_says_nothing(desk: Desk) -> None:
    with desk.signed_in("maya", afresh=True) as page:
        worker = _pushed(desk, page, {"title": 7, "place": "https://elsewhere.example/"})
        (shown,) = page.evaluate(SHOWN)
        assert (shown["title"], shown["data"]) == ("Something needs you", {"place": "/notifications/"})
        assert worker.evaluate(CLICKED) == [desk.address("/notifications/")]


def _pushed(desk: Desk, page: Page, said: dict[str, object]) -> Any:
    """Have Chromium hand the worker a push, as it does with one that a push service brought; gives the worker."""
    page.context.grant_permissions(["notifications"], origin=desk.address(""))
    page.goto(desk.address("/notifications/choices/"))
    session = page.context.new_cdp_session(page)
    found: list[str] = []

    def heard(event: dict[str, Any]) -> None:
        found.extend(one["registrationId"] for one in event["registrations"] if not one["isDeleted"])

    session.on("ServiceWorker.workerRegistrationUpdated", heard)
    session.send("ServiceWorker.enable")
    page.evaluate(
        "async () => { await navigator.serviceWorker.register('/push-worker.js'); await navigator.serviceWorker.ready; }"
    )
    page.wait_for_function("async () => (await navigator.serviceWorker.ready).active?.state === 'activated'")
    _deliver(session, desk, found[0], said)
    page.wait_for_function("async () => (await (await navigator.serviceWorker.ready).getNotifications()).length === 1")
    return page.context.service_workers[0]


def _deliver(session: CDPSession, desk: Desk, registration: str, said: dict[str, object]) -> None:
    given = {"origin": desk.address(""), "registrationId": registration, "data": json.dumps(said)}
    session.send("ServiceWorker.deliverPushMessage", given)
