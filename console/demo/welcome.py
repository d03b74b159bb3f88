"""What a visitor needs to know: `demo.json` for programs, a few calm lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.ssh_host import public_file
from console.demo.inventory import SHOP, key_file
from console.demo.neighbours import CARRIER, TILL
from console.demo.roster import AGENTS, EXAMPLES, PEOPLE
from console.demo.secrets_kept import Kept
from core.files import write_private

FILE = "demo.json"


def describe(state: Path, kept: Kept, console: str, gateway: Mapping[str, str], ca: Path) -> dict[str, Any]:
    """The content of `demo.json`: addresses, logins, keys, and statements that anyone can type."""
    return {
        "console": console,
        "gateway": {**gateway, "ca": str(ca), "ssh_host_key": ssh_host_key(state)},
        "people": [
            {
                "username": person.username,
                "password": kept.passwords[person.username],
                "name": person.name,
                "role": person.title,
                "groups": list(person.groups),
                "api_token": kept.tokens[person.username],
            }
            for person in PEOPLE
        ],
        "agents": [{"name": plan.name, "key": str(key_file(state, plan.name)), "owner": plan.owner} for plan in AGENTS],
        "resources": [
            {"name": SHOP, "kind": "postgres"},
            {"name": CARRIER, "kind": "http"},
            {"name": TILL, "kind": "mcp"},
        ],
        "examples": [
            {"agent": one.agent, "resource": SHOP, "statement": one.statement, "expect": one.expect} for one in EXAMPLES
        ],
    }


def ssh_host_key(state: Path) -> str:
    """The key by which the gate is known over SSH."""
    return public_file(state / "keys").read_text(encoding="utf-8").strip()


def write(state: Path, description: Mapping[str, Any]) -> None:
    """Write `demo.json`, for the owner of the state folder alone: it holds passwords."""
    write_private(state / FILE, json.dumps(description, indent=2).encode())


def greet(state: Path, description: Mapping[str, Any]) -> None:
    """Say where everything is, and what to try first."""
    out = Console(highlight=False, soft_wrap=True)
    gateway = description["gateway"]
    out.print()
    out.print("[bold]Narrowgate is running.[/bold]  Ctrl-C stops it.")
    out.print()
    out.print(f"  Console   {description['console']}")
    out.print(f"  Gateway   https://{gateway['http']}  (PostgreSQL at {gateway['postgres']}, SSH at {gateway['ssh']})")
    out.print(f"  Details   {state / FILE}")
    out.print()
    table = Table("Sign in as", "Password", "Role", box=None, padding=(0, 2), header_style="dim")
    for person in description["people"]:
        table.add_row(person["username"], person["password"], ", ".join([person["role"], *person["groups"]]))
    out.print(table)
    out.print()
    out.print("  Ask as an agent, for example:")
    folder = "" if state.name == ".narrowgate" and state.parent == Path.cwd() else f" --state {state}"
    for one in (description["examples"][1], description["examples"][2]):
        out.print(
            f'    .venv/bin/narrowgate sql {one["agent"]} {one["resource"]} "{one["statement"]}"{folder}', style="cyan"
        )
    out.print()
