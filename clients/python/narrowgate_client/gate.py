"""A gateway, and who asks there: requests go out on a thread (`run`) or on an event loop (`run_async`)."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from narrowgate_client.errors import Unavailable
from narrowgate_client.keys import read_key
from narrowgate_client.steps import Asker, Sent, Steps, Told

T = TypeVar("T")


@dataclass
class Gate:
    """The gateway's HTTPS door at `address`; `key` is the agent's private key (a JWK file), `ca` the door's CA file."""

    address: str
    agent: str
    key: Path | str
    resource: str
    ca: Path | str | None = None
    purpose: str = ""
    asker: Asker = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.address = self.address.rstrip("/")
        if not self.address.startswith("https://"):
            raise Unavailable("The gateway's address begins with https://.")
        audience = f"{self.address}/oauth/token"
        self.asker = Asker(self.agent, read_key(Path(self.key)), self.resource, audience, self.purpose)

    @classmethod
    def from_environment(cls, resource: str = "") -> Gate:
        """As NARROWGATE_GATEWAY, _AGENT, _AGENT_KEY, _RESOURCE and _CA say. Raises Unavailable where one is missing."""
        names = {"address": "GATEWAY", "agent": "AGENT", "key": "AGENT_KEY", "resource": "RESOURCE"}
        given = {name: os.environ.get(f"NARROWGATE_{variable}", "") for name, variable in names.items()}
        given |= {"resource": resource} if resource else {}
        missing = [f"NARROWGATE_{names[name]}" for name, value in given.items() if not value]
        if missing:
            raise Unavailable(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.")
        return cls(**given, ca=os.environ.get("NARROWGATE_CA") or None)

    def run(self, steps: Steps[T]) -> T:
        """Take steps, one request after the other. Raises what they raise."""
        with httpx.Client(**self.options()) as client:
            told = None
            while True:
                try:
                    sent = steps.send(told) if told is not None else next(steps)
                except StopIteration as end:
                    value: T = end.value
                    return value
                try:
                    told = told_by(client.request(sent.method, sent.path, **parts(sent)))
                except httpx.HTTPError as error:
                    raise lost(error) from None

    async def run_async(self, steps: Steps[T]) -> T:
        """As `run`, on an event loop."""
        async with httpx.AsyncClient(**self.options()) as client:
            told = None
            while True:
                try:
                    sent = steps.send(told) if told is not None else next(steps)
                except StopIteration as end:
                    value: T = end.value
                    return value
                try:
                    told = told_by(await client.request(sent.method, sent.path, **parts(sent)))
                except httpx.HTTPError as error:
                    raise lost(error) from None

    def options(self) -> dict[str, Any]:
        """How an HTTP client reaches it. No proxy of the environment, no redirect: what is asked goes to the gate and nowhere else."""
        try:
            trusted = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        except OSError as error:
            raise Unavailable(f"The CA file {self.ca} cannot be used: {error}.") from None
        return {"base_url": self.address, "verify": trusted, "trust_env": False, "follow_redirects": False}


def parts(sent: Sent) -> dict[str, Any]:
    """A request as httpx takes it."""
    return {"headers": sent.headers, "data": sent.form, "json": sent.json, "timeout": sent.patience}


def told_by(response: httpx.Response) -> Told:
    """What an answer says. Raises Unavailable for what no gateway says."""
    try:
        said = response.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Unavailable(f"What answered with {response.status_code} is no gateway.")
    return Told(response.status_code, said)


def lost(error: httpx.HTTPError) -> Unavailable:
    """That the gateway does not answer."""
    return Unavailable(f"The gateway does not answer: {type(error).__name__}: {error}".rstrip(": "))
