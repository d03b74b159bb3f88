"""The `narrowgate` command against the running demo: what the README tells a newcomer to type."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from cryptography import x509

from cli.agent_run import Certificate
from cli.state import read
from cli.token import read_key
from tests.commands import typed
from tests.gateway.wire.world import eventually
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


def test_a_command_runs_with_a_certificate_and_no_secret_is_left(server: RunningServer) -> None:
    asked = "SELECT count(*) > 0, current_setting('server_version_num') > '0' FROM orders"
    command = ["sh", "-c", f'psql -w -X -Atc "{asked}"; echo "$PGSSLKEY"; ls -l "$PGSSLKEY"; exit 7']
    answer = server.narrowgate("agent", "run", SUPPORT, "--", *command)
    said, key, listed = answer.stdout.splitlines()
    assert (said, answer.returncode, answer.stderr) == ("t|t", 7, "")
    assert listed.startswith("-rw-------")
    assert not Path(key).parent.exists()


def test_a_certificate_is_renewed_over_the_same_key(server: RunningServer, tmp_path: Path) -> None:
    world = read(server.state)
    certificate = Certificate(world, SUPPORT, read_key(world.key_of(SUPPORT)), tmp_path)

    def held() -> x509.Certificate:
        return x509.load_pem_x509_certificates(certificate.file.read_bytes())[0]

    wait, stop = certificate.renew(), threading.Event()
    first = held()
    assert 2_300 < wait <= 2_400
    keeper = threading.Thread(target=certificate.keep, args=(0.0, stop))
    keeper.start()
    try:
        eventually(lambda: held().serial_number != first.serial_number)
    finally:
        stop.set()
        keeper.join(30)
    assert held().public_key() == first.public_key()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody.production", "--", "true"], "no key for an agent"),
        ([SUPPORT, "--", "/nonexistent/command"], "cannot be run: No such file"),
    ],
)
def test_a_command_that_cannot_run_is_one_sentence(server: RunningServer, arguments: list[str], says: str) -> None:
    code, out, complaints = typed(server.state, "agent", "run", *arguments)
    assert (code, out, complaints.count("\n")) == (1, "", 1)
    assert says in complaints


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
