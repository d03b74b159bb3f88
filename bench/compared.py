"""What benchmarks compare with: a group of its own, installed when one first needs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def require(*modules: str) -> None:
    """Install the libraries where one is not there: they are no part of the product. Raises SystemExit."""
    if all(map(find_spec, modules)):
        return
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    command = [uv, "sync", "--frozen", "--inexact", "--quiet", "--group", "bench"]
    try:
        subprocess.run(command, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(f"The libraries to compare with are not installed. Run: {' '.join(command)}") from None


def installed(package: str, folder: Path) -> str:
    """The Python of a virtual environment with `package` in it. Raises SystemExit."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    python = folder / package / "bin" / "python"
    try:
        subprocess.run([uv, "venv", "-q", str(folder / package), "--python", sys.executable], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), package], check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(f"{package} to compare with cannot be installed.") from None
    return str(python)
