"""The `narrowgate` command typed in this process, where starting another would take longer than all the rest."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from cli.main import app


class _Own(io.StringIO):
    """What the thread that made it writes; what others write meanwhile, such as a sequencer's log, goes where it went before."""

    def __init__(self) -> None:
        super().__init__()
        self._thread, self._before = threading.get_ident(), sys.stdout

    def write(self, text: str) -> int:
        return super().write(text) if threading.get_ident() == self._thread else self._before.write(text)


def typed(state: Path, *words: str, here: Path | None = None, answers: str = "") -> tuple[int, str, str]:
    """Its exit status, what it printed, and what it complained of; `here` is the folder it is typed in."""
    out, complaints = _Own(), _Own()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(complaints):
        if here:
            patch.chdir(here)
        patch.setenv("NARROWGATE_STATE", "")  # put back afterwards, whatever the command makes of it
        patch.setattr("sys.argv", ["narrowgate", "--state", str(state), *words])
        patch.setattr("sys.stdin", io.StringIO(answers))
        with pytest.raises(SystemExit) as ended:
            app()
    return int(ended.value.code or 0), out.getvalue(), complaints.getvalue()
