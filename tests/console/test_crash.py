"""The server is killed while an action waits: the hold outlives it, the open queue catches up, and the approval runs once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.people import Desk, chromium
from tests.serving import RunningServer, family

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]
AGENT, STATEMENT = "cleanup.production", "DELETE FROM order_items WHERE order_id = 1001"
LEFT = "SELECT count(*) AS left_over FROM order_items WHERE order_id = 1001"
LATE = "DELETE FROM order_items WHERE order_id = 1002"


def test_a_hold_survives_a_kill_and_the_open_queue_catches_up(server: RunningServer) -> None:
    asking = ask(server)
    hold = waiting(server)
    road = Road()
    with chromium() as browser, Desk(browser, server.demo).signed_in("maya") as page:
        page.route_web_socket(re.compile("/ws/queue/"), road.travelled)
        page.goto(f"{server.demo['console']}/queue/{hold['id']}/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        road.closed = True
        kill(server, asking)
        expect(page.get_by_text(re.compile("^Reconnecting"))).to_be_visible(timeout=30_000)

        server.start_again()
        assert waiting(server)["id"] == hold["id"]
        assert "0 " not in server.narrowgate("sql", AGENT, "shop", LEFT).stdout
        late = ask(server, LATE)
        new = waiting(server, LATE)
        assert page.locator(row_of(new)).count() == 0  # it could not hear of it
        road.closed = False
        expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=30_000)
        expect(page.locator(row_of(new))).to_have_count(1)
        expect(page.locator(row_of(hold))).to_have_count(1)

        page.get_by_role("button", name="Approve once").click()  # nothing was typed again, nothing reloaded
        expect(page.get_by_text(re.compile("Approved by 1 person"))).to_be_visible()
    done = server.narrowgate("sql", AGENT, "shop", STATEMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("DELETE ")
    again = ask(server)
    assert waiting(server)["id"] != hold["id"]
    for one in (again, late):
        asking_ended(one)


class Road:
    """What is between a page and the server: while it is closed, every websocket is."""

    closed = False

    def travelled(self, route: WebSocketRoute) -> None:
        """A page connects."""
        if self.closed:
            route.close()
        else:
            route.connect_to_server()


def kill(server: RunningServer, asking: subprocess.Popen[str]) -> None:
    """End the server as a power cut does, with all that it has started; its client hears of it."""
    processes = family(server.process.pid)
    server.stop(signal.SIGKILL)
    asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert gone(processes)


def row_of(hold: dict[str, Any]) -> str:
    """Where a hold is in the list, alone or among its like."""
    return f"#holds .hold-row[data-hold='{hold['id']}'], #holds .hold-row[data-holds~='{hold['id']}']"


def ask(server: RunningServer, statement: str = STATEMENT) -> subprocess.Popen[str]:
    """Ask for the statement in a process of its own, which waits."""
    command = [
        str(Path(sys.executable).with_name("narrowgate")),
        "--state",
        str(server.state),
        "sql",
        AGENT,
        "shop",
        statement,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def asking_ended(asking: subprocess.Popen[str]) -> None:
    asking.kill()
    asking.communicate(timeout=30)


def waiting(server: RunningServer, statement: str = STATEMENT) -> dict[str, Any]:
    """The hold of a statement, once it waits."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        holds = httpx.get(f"{api(server)}/holds?status=waiting", headers=maya(server), trust_env=False).json()[
            "results"
        ]
        for hold in holds:
            if hold["action"]["shown"] == statement:
                found: dict[str, Any] = hold
                return found
        time.sleep(0.1)
    raise AssertionError("The statement is not held.")


def api(server: RunningServer) -> str:
    return f"{server.demo['console']}/api/v1"


def maya(server: RunningServer) -> dict[str, str]:
    token = next(person["api_token"] for person in server.demo["people"] if person["username"] == "maya")
    return {"Authorization": f"Token {token}"}


def gone(processes: set[int]) -> bool:
    """Whether all of them have ended, or are about to be reaped."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        if not any(alive(pid) for pid in processes):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
