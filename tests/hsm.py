"""A token of SoftHSM for the tests that need one; its library reads where that is once in a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "1234"


def make_token(folder: Path) -> str:
    """Make a token in `folder` and have the library find it; gives its name."""
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "gate", "--pin", PIN, "--so-pin", "5678"]
    subprocess.run(made, check=True, capture_output=True)
    return "gate"
