"""How a benchmark is asked and how it answers: one JSON object, as the design's contract has it, or a line a figure."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

Figure = dict[str, Any]


def printed(bench: str, about: str | None, measure: Callable[[bool], Iterable[Figure]]) -> list[Figure]:
    """Measure, quickly where that is asked for, and print what was found."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    asked = parser.parse_args()
    began = time.monotonic()
    found = list(measure(asked.quick))
    seconds = round(time.monotonic() - began, 1)
    if asked.json:
        print(json.dumps({"bench": bench, "figures": found, "seconds": seconds, "cpus": os.cpu_count()}))
    else:
        for figure in found:
            print(_line(figure))
    return found


def _line(figure: Figure) -> str:
    peers = ", ".join(f"{name} {value}" for name, value in figure["peers"].items())
    held = {True: "met", False: "missed", None: ""}[figure["holds"]]
    return (
        f"{figure['metric']:>20} {figure['case']:>34}: {figure['ours']:>10} {figure['unit']:14} {figure['mark'] or '':>12} "
        f"{held:6} {peers}".rstrip()
    )
