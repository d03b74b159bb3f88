"""A tool server that is a program: it speaks in lines, and says what it was given. Standard library alone, so that it starts at once."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

TOOLS = ("environment", "folder", "sleeps", "dies", "shouts", "child")


def call(name: str) -> str:
    if name == "environment":
        return json.dumps(dict(os.environ))
    if name == "folder":
        return json.dumps([os.getcwd(), os.listdir(), os.listdir("/proc/self/fd")])  # noqa: PTH109, PTH208 -- no more imports
    if name == "sleeps":
        time.sleep(60)
    if name == "dies":
        os._exit(3)
    if name == "child":
        return str(os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"]))  # noqa: S606
    return "x" * 9_000_000


def answer(said: dict[str, Any]) -> dict[str, Any]:
    if said["method"] == "initialize":
        about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
        return about | {"serverInfo": {"name": "lines", "version": str(os.getpid())}}
    if said["method"] == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    return {"content": [{"type": "text", "text": call(said["params"]["name"])}]}


def main() -> None:
    sys.stderr.write("noise\n")
    sys.stdout.write("no message\n")
    for line in sys.stdin:
        said = json.loads(line)
        if "id" in said and "method" in said:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": said["id"], "result": answer(said)}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
