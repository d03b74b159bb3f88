"""The state folder as the command line knows it: what `demo.json` says, and nothing behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import NarrowgateError

DEFAULT = ".narrowgate"
STATE_VARIABLE = "NARROWGATE_STATE"

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="The state folder of the server.", envvar=STATE_VARIABLE, show_default=DEFAULT),
]


@dataclass(frozen=True)
class World:
    """The addresses of a running server, the key files of its agents, the API tokens of its people."""

    console: str
    http: str
    postgres: str
    ca: Path
    keys: dict[str, Path]
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    ssh: str = ""
    ssh_host_key: str = ""
    """The gate's own, as a line of OpenSSH's."""

    @property
    def token_endpoint(self) -> str:
        """Where tokens are given, and the audience of every client assertion."""
        return f"https://{self.http}/oauth/token"

    def key_of(self, agent: str) -> Path:
        """The key file of `agent`. Raises NarrowgateError."""
        if agent not in self.keys:
            known = ", ".join(sorted(self.keys)) or "none"
            raise NarrowgateError(
                f"There is no key for an agent called {agent}.", f"Known: {known}; or give --key FILE."
            )
        return self.keys[agent]

    def token_of(self, person: str) -> str:
        """The API token of `person`. Raises NarrowgateError."""
        if person not in self.tokens:
            known = ", ".join(sorted(self.tokens)) or "nobody"
            raise NarrowgateError(f"There is no token of a person called {person}.", f"Known: {known}.")
        return self.tokens[person]


def read(folder: Path | None) -> World:
    """The world that the server on `folder` described. Raises NarrowgateError."""
    path = (folder or Path(DEFAULT)) / "demo.json"
    try:
        return world_of(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NarrowgateError(
            f"There is no {path}.", "Start a server with script/server, or name its --state DIR."
        ) from None
    except OSError as error:
        raise NarrowgateError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise NarrowgateError(f"{path} is damaged.", "Start the server again.") from None


def world_of(said: Mapping[str, Any]) -> World:
    """What `demo.json` says. Raises KeyError or TypeError where it does not say it."""
    gateway = said["gateway"]
    return World(
        console=said["console"],
        http=gateway["http"],
        postgres=gateway["postgres"],
        ca=Path(gateway["ca"]),
        keys={agent["name"]: Path(agent["key"]) for agent in said["agents"]},
        ssh=gateway.get("ssh", ""),
        ssh_host_key=gateway.get("ssh_host_key", ""),
        tokens={person["username"]: person["api_token"] for person in said.get("people", ())},
    )
