"""One browser for the journeys of a module, one server for all of a worker."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.agents import Psql, psql
from tests.browser.people import Desk, chromium
from tests.serving import RunningServer

Ask = Callable[..., Psql]


# Playwright keeps an event loop running in this thread: it ends with the module, or no other test here could have one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def desk(browser: Browser, server: RunningServer) -> Iterator[Desk]:
    """The desk; a script error or a breach of the content security policy on any page fails the test."""
    sitting = Desk(browser, server.demo)
    yield sitting
    assert sitting.complaints == []


@pytest.fixture
def ask(server: RunningServer) -> Iterator[Ask]:
    """Start psql as an agent; whatever still runs at the end is ended."""
    started: list[Psql] = []

    def start(agent: str, *statements: str, purpose: str = "A test") -> Psql:
        started.append(psql(server, agent, *statements, purpose=purpose))
        return started[-1]

    yield start
    for one in started:
        one.leave()
