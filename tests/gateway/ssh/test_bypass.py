"""The public corpus of ways around the gate, over SSH: the host is as it was."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.gateway.bypass import cases
from tests.gateway.ssh.agent import Agent


@pytest.mark.parametrize("case", cases("ssh"))
def test_the_host_is_as_it_was(agent: Agent, case: dict[str, Any]) -> None:
    made = agent.folder / "PWNED"  # where no policy lets anything be written
    done = agent.ssh(case["command"].replace("PWNED", str(made)))
    assert (done.stdout, done.returncode) == (b"", 126)
    assert not os.path.lexists(made)
    action = agent.last()
    assert (action.status, action.released_at) == ("denied", None)
