"""One browser and one server for all journeys of a worker; each person signs in once."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.agents import Psql, psql
from tests.browser.people import Desk, Profiles, chromium
from tests.serving import RunningServer

Ask = Callable[..., Psql]


# Playwright keeps an event loop running in this thread: it ends with the folder, or no other test here could have one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def profiles() -> Profiles:
    """Who is signed in where."""
    return {}


@pytest.fixture(scope="package")
def running_out(server: RunningServer) -> Iterator[Psql]:
    """An action held in an open transaction: it has 60 seconds, which pass while other tests run."""
    asked = psql(
        server, "cleanup.production", "BEGIN; SELECT 1", "BEGIN; DELETE FROM order_items WHERE order_id = 47; COMMIT"
    )
    yield asked
    asked.leave()


@pytest.fixture
def desk(browser: Browser, server: RunningServer, profiles: Profiles) -> Iterator[Desk]:
    """The desk; a script error or a breach of the content security policy on any page fails the test."""
    sitting = Desk(browser, server.demo, profiles)
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
