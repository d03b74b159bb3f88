"""A program is told to stop while it does nothing but look whether it was."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

LOOKS = """
from core.told_to_stop import told_to_stop
stop = told_to_stop()
print("ready", flush=True)
while not stop.wait(0):
    pass
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finds_the_event_whatever_the_program_holds(number: signal.Signals) -> None:
    """Set by a handler, the event is found locked by the very thread that the handler interrupted: most runs would hang."""
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", LOOKS], stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            program.send_signal(number)
            program.send_signal(number)
            assert program.stdout.read() == "stopped\n"
            assert program.wait(20) == 0
