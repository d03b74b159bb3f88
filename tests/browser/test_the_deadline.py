"""Nobody decides in time. Last of all here: the minute that it takes passes while the others run."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.agents import Psql
from tests.browser.people import Desk

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]


def test_the_deadline_denies(desk: Desk, running_out: Psql) -> None:
    path = "/queue/" + running_out.held().partition("/queue/")[2]
    with desk.signed_in("maya") as reviewer:
        reviewer.goto(desk.address(path))
        status, said = running_out.wait(70)
        assert status != 0, said
        expect(reviewer.get_by_text(re.compile("Nobody decided by"))).to_be_visible(timeout=5000)
        expect(reviewer.get_by_role("button", name="Approve once")).to_have_count(0)
