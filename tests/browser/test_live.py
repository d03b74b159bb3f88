"""What an open queue asks the server for, when much is said to it at once."""

import pytest
from playwright.sync_api import Request, expect

from tests.browser.people import Desk

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

SAY = """async () => {
  const began = Date.now();
  for (let said = 0; said < 200; said += 1) {
    document.dispatchEvent(new CustomEvent('live:hold', { detail: { hold: `h${said}` } }));
    await new Promise(done => setTimeout(done, 4));
  }
  return Date.now() - began;
}"""


def test_a_burst_is_fetched_once_in_a_while_and_the_last_word_is_heard(desk: Desk) -> None:
    with desk.signed_in("maya") as page:
        page.goto(desk.address("/queue/"))
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.wait_for_load_state("networkidle")
        fetched: list[str] = []

        def note(request: Request) -> None:
            fetched.append(request.url)

        page.on("request", note)
        lasted = page.evaluate(SAY)
        with page.expect_response(lambda answer: "/queue/list/" in answer.url):
            page.evaluate("document.dispatchEvent(new CustomEvent('live:hold', { detail: { hold: 'last' } }))")
        page.remove_listener("request", note)
        lists = [one for one in fetched if "/queue/list/" in one]
        assert 2 <= len(lists) <= lasted / 100 + 3
