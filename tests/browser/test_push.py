"""Having one's browser pushed to. Tests have no push service: what it would answer the browser with is made here, all else is the real way."""

import pytest
from playwright.sync_api import expect

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
