"""Ways around the gate, one file of cases a protocol: what is sent, why somebody would, what must come of it. Runners stand beside each door's other tests.

Whatever comes of a case, nothing undecided may reach the target, and each runner looks there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


def cases(protocol: str) -> list[Any]:
    """Those of a protocol, each to be named by why it is there."""
    import pytest

    read = yaml.safe_load((FOLDER / f"{protocol}.yaml").read_text())
    return [pytest.param(one, id=one["why"]) for one in read]
