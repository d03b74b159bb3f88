"""Fuzz each target in turn, guided by what of the gate's code it reaches: `python -m tests.fuzzing SECONDS FOLDER`.

FOLDER holds a folder of inputs for each target, which grows, and gets `NAME.log`, and what broke a target as `NAME.crash-…`. The exit status
is 1 where any did.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

LONGEST = 2_048
"""Bytes of one input."""


def main() -> None:
    """Read the code once; each target has a process of its own, because libFuzzer ends the one it runs in."""
    import atheris

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    with atheris.instrument_imports(include=["gateway", "agents.access", "agents.assertions"]):
        import django

        django.setup()
        from tests.fuzzing.targets import TARGETS
    seconds, folder = sys.argv[1], Path(sys.argv[2])
    broken = [name for name, target in TARGETS.items() if not held(name, target, seconds, folder)]
    sys.exit(1 if broken else 0)


def held(name: str, target: Callable[[bytes], object], seconds: str, folder: Path) -> bool:
    """Whether a target took whatever it was given."""
    child = os.fork()
    if not child:
        log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        fuzz(name, target, seconds, folder)
    return os.waitpid(child, 0)[1] == 0


def fuzz(name: str, target: Callable[[bytes], object], seconds: str, folder: Path) -> None:
    """Until the time is up. Does not return."""
    import atheris

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=20",
        "-seed=1",
        f"-artifact_prefix={folder}/{name}.",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / name)], target)
    atheris.Fuzz()


main()
