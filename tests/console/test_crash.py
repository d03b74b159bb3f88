"""The server is killed while an action waits: the hold outlives it, and its approval runs once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import RunningServer, family

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]
AGENT, STATEMENT = "cleanup.production", "DELETE FROM order_items WHERE order_id = 1001"
LEFT = "SELECT count(*) AS left_over FROM order_items WHERE order_id = 1001"


def test_a_hold_survives_a_kill_and_its_approval_runs_once(server: RunningServer) -> None:
    asking = ask(server)
    hold = waiting(server)
    processes = family(server.process.pid)
    server.stop(signal.SIGKILL)
    asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert gone(processes)

    server.start_again()
    assert waiting(server)["id"] == hold["id"]
    assert "0 " not in server.narrowgate("sql", AGENT, "shop", LEFT).stdout
    approve(server, hold)
    done = server.narrowgate("sql", AGENT, "shop", STATEMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("DELETE ")
    again = ask(server)
    other = waiting(server)
    assert other["id"] != hold["id"]
    asking_ended(again)


def ask(server: RunningServer) -> subprocess.Popen[str]:
    """Ask for the statement in a process of its own, which waits."""
    command = [
        str(Path(sys.executable).with_name("narrowgate")),
        "--state",
        str(server.state),
        "sql",
        AGENT,
        "shop",
        STATEMENT,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def asking_ended(asking: subprocess.Popen[str]) -> None:
    asking.kill()
    asking.communicate(timeout=30)


def waiting(server: RunningServer) -> dict[str, Any]:
    """The hold of our statement, once it waits."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        holds = httpx.get(f"{api(server)}/holds?status=waiting", headers=maya(server), trust_env=False).json()[
            "results"
        ]
        for hold in holds:
            if hold["action"]["shown"] == STATEMENT:
                found: dict[str, Any] = hold
                return found
        time.sleep(0.1)
    raise AssertionError("The statement is not held.")


def approve(server: RunningServer, hold: dict[str, Any]) -> None:
    body = {"digest": hold["digest"], "reason": "checked"}
    answer = httpx.post(f"{api(server)}/holds/{hold['id']}/approve", json=body, headers=maya(server), trust_env=False)
    assert answer.json()["status"] == "approved", answer.text


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
