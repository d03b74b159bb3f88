"""`narrowgate report` and `narrowgate session`, typed against the running demo."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import psycopg
import pytest

from cli.sql import address
from cli.state import world_of
from cli.token import request_token
from tests.commands import typed
from tests.serving import RunningServer

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("server")]
AGENT = "reports.production"


def says(server: RunningServer, *words: str, who: str, status: int = 0) -> str:
    code, out, complaints = typed(server.state, *words, "--as", who)
    assert code == status, out + complaints
    return out + complaints


@pytest.fixture(scope="module")
def report(server: RunningServer) -> str:
    """The identifier of a report that was made."""
    made = says(
        server, "report", "make", "access", "--period", "24h", "--scope", "agent", "--name", AGENT,
        "--format", "csv", "--format", "zip", who="arthur",
    )  # fmt: skip
    found = re.search(r"narrowgate report download (\S+)", made)
    assert found is not None, made
    return found[1]


def test_a_report_is_listed_taken_away_and_verifies(server: RunningServer, report: str, tmp_path: Path) -> None:
    (row,) = [line for line in says(server, "report", "list", who="claire").splitlines() if line.startswith(report)]
    assert row.split("\t")[1] == "access"
    assert row.split("\t")[4:] == [f"agent {AGENT}", "ready", "arthur"]
    taken = says(server, "report", "download", report, "--into", str(tmp_path), who="arthur").splitlines()
    assert {Path(line).suffix for line in taken} == {".csv", ".jsonl", ".zip"}
    assert all(Path(line).is_file() for line in taken)
    package = next(line for line in taken if line.endswith(".zip"))
    assert typed(server.state, "verify", package)[:2][0] == 0
    again = says(server, "report", "download", report, "--into", str(tmp_path), who="arthur", status=1)
    assert "There is a file" in again


def test_entries_are_taken_and_a_download_that_broke_off_goes_on(server: RunningServer, tmp_path: Path) -> None:
    made = says(server, "report", "entries", "--agent", AGENT, "--format", "jsonl", "--format", "zip", who="arthur")
    found = re.search(r"narrowgate report download (\S+)", made)
    assert found is not None, made
    taken = says(server, "report", "download", found[1], "--into", str(tmp_path), who="arthur").splitlines()
    package = next(Path(line) for line in taken if line.endswith(".zip"))
    assert typed(server.state, "verify", str(package))[0] == 0
    whole = package.read_bytes()
    broken = package.with_name(f"{package.name}.{hashlib.sha256(whole).hexdigest()[:8]}.part")
    for so_far, status in ((whole[:100], 0), (whole, 0), (b"something else", 1)):
        package.unlink(missing_ok=True)
        broken.write_bytes(so_far)
        says(
            server,
            "report",
            "download",
            found[1],
            "--format",
            "zip",
            "--into",
            str(tmp_path),
            who="arthur",
            status=status,
        )
        assert package.is_file() == (status == 0)
        assert not broken.exists()
    assert "event" in says(server, "report", "entries", "--event", "no:such", "--format", "csv", who="arthur", status=1)


def test_what_a_report_cannot_be_is_said(server: RunningServer, report: str, tmp_path: Path) -> None:
    def refused(*words: str, who: str = "arthur") -> str:
        return says(server, "report", *words, who=who, status=1)

    assert "kind" in refused("make", "gossip")
    assert "There is no agent of that name." in refused("make", "access", "--scope", "agent", "--name", "nobody")
    assert "first" in refused("make", "access", "--period", "custom")
    assert "It has jsonl, csv, zip." in refused("download", report, "--format", "pdf")
    assert "cannot be written" in refused("download", report, "--into", str(tmp_path / "nowhere"))
    assert "scopes do not cover" in refused("make", "access", who="maya")
    assert refused("download", report, who="maya").count("\n") == 1
    assert says(server, "report", "list", who="maya") == ""


def test_a_live_session_is_listed_shown_and_cut(server: RunningServer) -> None:
    world = world_of(server.demo)
    token = request_token(world, AGENT, "shop", key=Path(world.key_of(AGENT)), purpose="The morning's figures")
    with psycopg.connect(address(world, AGENT, "shop", token), autocommit=True) as connection:
        connection.execute("SELECT count(*) FROM orders")
        listed = says(server, "session", "list", "--agent", AGENT, "--live", who="claire").splitlines()
        session, agent, resource, _, ended = listed[0].split("\t")
        assert (agent, resource, ended) == (AGENT, "shop", "live")
        shown = says(server, "session", "show", session, who="claire")
        assert "It is live." in shown
        assert "Its claim, not checked: “The morning's figures”" in shown
        assert "SELECT count(*) FROM orders" in shown
        assert "without the role" in says(server, "session", "cut", session, "--reason", "No", who="omar", status=1)
        assert "is cut off from shop" in says(server, "session", "cut", session, "--reason", "A drill", who="claire")
        with pytest.raises(psycopg.OperationalError):
            wait_for_the_cut(connection)
    assert "A drill" in says(server, "session", "show", session, who="claire")
    assert "has ended" in says(server, "session", "cut", session, "--reason", "Again", who="claire", status=1)


def wait_for_the_cut(connection: psycopg.Connection) -> None:
    """Ask until the gate has closed it."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        connection.execute("SELECT 1")
        time.sleep(0.05)


def test_others_see_no_session(server: RunningServer) -> None:
    assert says(server, "session", "list", who="otto") == ""
    unknown = "00000000-0000-4000-8000-000000000000"
    assert says(server, "session", "show", unknown, who="claire", status=1).count("\n") == 1
