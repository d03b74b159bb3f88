"""The `narrowgate` command against the running demo: what the README tells a newcomer to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import typed
from tests.serving import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]
SUPPORT = "support.production.01"


def test_a_token_is_printed(server: RunningServer) -> None:
    answer = server.narrowgate("token", SUPPORT)
    assert answer.returncode == 0
    assert answer.stdout.count(".") == 2
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["token", "nobody.production"], "no key for an agent"),
        (["token", SUPPORT, "--resource", "nowhere"], "There is no resource nowhere"),
        (["token", SUPPORT, "--key", "/nonexistent"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_one_sentence(server: RunningServer, arguments: list[str], says: str) -> None:
    code, out, complaints = typed(server.state, *arguments)
    assert (code, out, complaints.count("\n")) == (1, "", 1)
    assert says in complaints


def test_another_agents_key_does_not_help(server: RunningServer) -> None:
    other = next(agent["key"] for agent in server.demo["agents"] if agent["name"] == "reports.production")
    code, _, complaints = typed(server.state, "token", SUPPORT, "--key", other)
    assert code == 1
    assert "not registered for this agent" in complaints


def test_no_server_is_said(tmp_path: Path) -> None:
    code, _, complaints = typed(tmp_path, "token", SUPPORT)
    assert (code, complaints.count("\n")) == (1, 1)
    assert "script/server" in complaints


def test_the_examples_do_what_they_say(server: RunningServer) -> None:
    for example in server.demo["examples"]:
        if example["expect"] == "hold":
            continue
        code, out, complaints = typed(server.state, "sql", example["agent"], example["resource"], example["statement"])
        assert (code == 1) is (example["expect"] == "deny"), (example, out, complaints)
        assert ("***" in out) is (example["expect"] == "mask"), out


def test_a_refusal_says_why(server: RunningServer) -> None:
    answer = server.narrowgate("sql", "cleanup.production", "shop", "DELETE FROM orders")
    assert answer.returncode == 1
    assert "WHERE" in answer.stderr
    assert "Traceback" not in answer.stderr
