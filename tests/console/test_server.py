"""`script/server` as a newcomer meets it: one process, everything in it, nothing left behind."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from console.state_folder import hold
from core.errors import NarrowgateError
from tests.serving import RunningServer, family, temporary_state

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]


def test_it_says_where_everything_is(server: RunningServer) -> None:
    demo = server.demo
    assert httpx.get(f"{demo['console']}/health", trust_env=False).json() == {"status": "ok"}
    assert {"http", "postgres", "ca"} <= demo["gateway"].keys()
    assert {person["role"] for person in demo["people"]} >= {
        "reviewer",
        "ciso",
        "auditor",
        "engineer",
        "owner",
        "administrator",
        "outsider",
    }
    assert len(demo["agents"]) >= 8
    assert {example["expect"] for example in demo["examples"]} == {"allow", "deny", "hold", "mask"}
    assert stat.S_IMODE((server.state / "demo.json").stat().st_mode) == 0o600


def test_every_key_it_names_is_private(server: RunningServer) -> None:
    for agent in server.demo["agents"]:
        path = Path(agent["key"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text(encoding="utf-8"))["d"]


def test_the_doors_are_not_mixed(server: RunningServer) -> None:
    demo = server.demo
    trusted = ssl.create_default_context(cafile=demo["gateway"]["ca"])
    console, gateway = demo["console"], f"https://{demo['gateway']['http']}"
    assert httpx.post(f"{console}/oauth/token", trust_env=False).status_code in {403, 404}
    for path in ("/", "/account/login/", "/api/v1/holds", "/health"):
        assert httpx.get(f"{gateway}{path}", verify=trusted, trust_env=False).status_code == 404


def test_a_second_server_on_the_same_folder_is_one_sentence(server: RunningServer) -> None:
    tried = serve("--state", str(server.state))
    assert tried.returncode == 1
    assert tried.stderr.count("\n") == 1
    assert "Another server already runs" in tried.stderr


def test_a_taken_port_is_one_sentence(server: RunningServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, temporary_state() as state:
        tried = serve("--state", str(state), "--port", str(taken.getsockname()[1]))
    assert (tried.returncode, tried.stderr.count("\n")) == (1, 1)
    assert "is taken" in tried.stderr


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    tried = serve("--state", str(tmp_path), "--fresh")
    assert (tried.returncode, tried.stderr.count("\n")) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_it_stops_on_request_and_comes_back_as_it_was(server: RunningServer) -> None:
    before, processes = server.demo, family(server.process.pid)
    assert server.stop(signal.SIGINT) == 0
    assert processes
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    began = time.monotonic()
    server.start_again()
    assert time.monotonic() - began < 40  # 8 on a machine that does nothing else
    assert server.demo == before


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail at once."""
    command = [sys.executable, "-m", "console.serve", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_an_empty_folder_stays_so_until_it_is_cleared(tmp_path: Path) -> None:
    folder = hold(tmp_path / "state")
    with folder.lock:
        assert folder.keep_empty()
        assert folder.is_empty
        folder.clear()
        assert not (folder.path / "empty").exists()


def test_a_folder_with_the_demo_is_not_made_empty(tmp_path: Path) -> None:
    folder = hold(tmp_path / "state")
    with folder.lock:
        (folder.path / "people.json").write_text("{}")
        with pytest.raises(NarrowgateError, match="holds the demo"):
            folder.keep_empty()
        assert not folder.is_empty
