"""COPY both ways, large results, cancelling, slow clients."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import pytest

from activity.models import Action
from tests.gateway.wire.world import World, eventually


def test_copy_in_and_out(world: World) -> None:
    with world.connect() as connection:
        with connection.cursor() as cursor:
            with cursor.copy("COPY log (line) FROM STDIN") as copy:
                for number in range(1000):
                    copy.write_row((f"line {number}",))
            assert cursor.rowcount == 1000
            with cursor.copy("COPY log (line) TO STDOUT") as copy:
                assert sum(1 for _ in copy.rows()) == 1000
        assert connection.execute("SELECT count(*) FROM log").fetchone() == (1000,)
    eventually(lambda: not Action.objects.filter(status="released").exists())
    assert list(Action.objects.filter(verb="sql:copy_in").values_list("status", "rows")) == [("done", 1000)]


def test_a_copy_that_fails_leaves_the_session_usable(world: World) -> None:
    with world.connect() as connection:
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            connection.cursor().copy("COPY orders FROM STDIN") as copy,
        ):
            copy.write(b"not\ta\trow\tat all\n")
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(RuntimeError), connection.cursor().copy("COPY log (line) FROM STDIN"):
            raise RuntimeError("the client changes its mind")
        assert connection.execute("SELECT count(*) FROM log").fetchone() == (0,)


def test_copy_with_psql(world: World) -> None:
    assert world.psql("-c", r"\copy log (line) from stdin", text="a\nb\n\\.\n").returncode == 0
    assert world.psql("-c", r"\copy (select line from log order by id) to stdout").stdout == "a\nb\n"


def test_a_large_result_streams_without_being_held_in_memory(world: World) -> None:
    Path("/proc/self/clear_refs").write_text(
        "5", encoding="ascii"
    )  # the peak begins anew: that of earlier tests says nothing
    before = _peak()
    with world.connect() as connection:
        cursor = connection.cursor()
        total = 0
        for row in cursor.stream("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"):
            total += len(row[0])
    assert total == 200_000_000
    assert _peak() - before < 100_000


def _peak() -> int:
    """Kilobytes that this process had at most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def test_cancel_stops_what_runs(world: World) -> None:
    with world.connect() as connection:
        timer = threading.Timer(0.5, connection.cancel_safe)
        timer.start()
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000) a")
        assert time.monotonic() - began < 8
        timer.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_psql_cancels_without_tls(world: World) -> None:
    """libpq before 17 sends the cancel packet in the clear: the random key is all it carries."""
    import signal
    import subprocess

    process = subprocess.Popen(
        ["psql", "-Xc", "SELECT count(*) FROM generate_series(1, 1000000000) a"],
        env=world.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: Action.objects.filter(status="released").exists())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "canceling statement due to user request" in errors


def test_what_a_client_left_running_is_cancelled(world: World) -> None:
    connection = world.connect()
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000) a")
    eventually(lambda: Action.objects.filter(status="released").exists())
    connection.close()
    assert eventually(lambda: Action.objects.filter(status="failed", sqlstate="57014").exists())


def test_portals_with_row_limits(world: World) -> None:
    with world.connect() as connection, connection.transaction(), connection.cursor("named") as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT id FROM orders ORDER BY id")
        assert [row[0] for row in cursor] == list(range(1, 501))
