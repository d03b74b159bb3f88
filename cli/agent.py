"""`narrowgate agent`: enrol one's own, see them, change and stop one, let it act again with a second person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from joserfc.jwk import ECKey, OKPKey

from cli.agent_run import run
from cli.api_client import Api, AsOption, TokenFileOption, connect, given
from cli.carry import carrying
from cli.output import may_do, table
from cli.state import StateOption
from cli.token import read_key
from core.errors import NarrowgateError
from core.files import create_private

agent = typer.Typer(
    name="agent", help="Agents: enrol, list, change, stop, reinstate with a second person.", no_args_is_help=True
)
carrying(agent, "agents")
Name = Annotated[str, typer.Argument(help="The agent's name, as in support.production.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the record.")]


@agent.command()
def enrol(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    owner: Annotated[str, typer.Option(help="The user name of the person who answers for it.")],
    purpose: Annotated[str, typer.Option(help="What it is for, in one sentence.")],
    segment: Annotated[str, typer.Option(help="The segment it belongs to.")],
    deputy: Annotated[str, typer.Option(help="The user name of whoever stands in for the owner.")] = "",
    key: Annotated[Path | None, typer.Option(help="Its private key; made where there is none. NAME.jwk here.")] = None,
    algorithm: Annotated[str, typer.Option(help="ES256 or Ed25519, for a key that is made.")] = "ES256",
    task_scope: Annotated[str | None, typer.Option(help="What it may be given to do, and what not.")] = None,
    runtime: Annotated[str | None, typer.Option(help="Where it runs.")] = None,
    framework: Annotated[str | None, typer.Option(help="What it is built with.")] = None,
    model: Annotated[str | None, typer.Option(help="Its model, as vendor/name/version.")] = None,
    code_digest: Annotated[
        str | None, typer.Option(help="Of its code or image: sha256:…, or git: and a commit.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Tags of the data it is meant to touch, with commas.")] = None,
    review_by: Annotated[str | None, typer.Option(help="When somebody looks at all this again, as 2027-03-31.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Register an agent. Its private key is made here, for you alone to read; only the public half is sent."""
    api = connect(state, token_file, person)
    path = key or Path(f"{name}.jwk")
    made = not path.exists()
    public = _public_half(_ensure_key(path, algorithm) if made else read_key(path))
    body = {"name": name, "owner": owner, "deputy": deputy, "purpose": purpose, "segment": segment}
    body |= described(task_scope, runtime, framework, model, code_digest, data, review_by)
    try:
        said = api.post("agents", {**body, "public_jwk": public})
    except NarrowgateError:
        if made:
            path.unlink(missing_ok=True)  # nobody knows this key: it would only be in the way
        raise
    typer.echo(f"{said['name']} is enrolled in {said['segment']}; {said['owner']} answers for it.")
    typer.echo(f"Its key is {path}: keep it with the agent, and nowhere else.")
    if said["status"] == "proposed":
        typer.echo(f"It acts once a second person has said so: narrowgate agent confirm {said['name']}")


agent.command(context_settings={"ignore_unknown_options": True})(run)


@agent.command("list")
def list_agents(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The agents that you may see."""
    rows = connect(state, token_file, person).each("agents")
    fields = ("name", "status", "segment", "owner", "purpose")
    table(("Agent", "Status", "Segment", "Owner", "Purpose"), [[row[field] for field in fields] for row in rows])


@agent.command()
def permissions(
    name: Name, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Everything an agent may do today, by which policy, and what of it was not used in 30 days."""
    said = connect(state, token_file, person).get(f"agents/{name}/permissions")
    may_do(said["permissions"])
    for one in said["used"]:
        if not one["last"]:
            typer.echo(f"Not used in 30 days: {one['verb']} at {one['resource']}", err=True)


@agent.command()
def suspend(
    name: Name, reason: Reason, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Stop an agent: its credentials end and its connections are cut within a second."""
    said = connect(state, token_file, person).post(f"agents/{name}/suspend", {"reason": reason})
    typer.echo(f"{said['name']} is {said['status']}.")


@agent.command()
def reinstate(
    name: Name, reason: Reason, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Ask that an agent may act which is suspended or proposed. A second person confirms it."""
    asked = connect(state, token_file, person).post(f"agents/{name}/reinstate", {"reason": reason})
    typer.echo(f"Asked. A second person confirms it: narrowgate agent confirm {asked['agent']}")


@agent.command()
def confirm(name: Name, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """Confirm, as a second person, that an agent may act which is suspended or proposed. Nobody does that for their own."""
    api = connect(state, token_file, person)
    asked = _waiting(api, name)
    api.post(f"reinstatements/{asked['id']}/confirm")
    typer.echo(f"{name} is active. {asked['asked_by']} had asked: {asked['reason']}")


@agent.command()
def decline(
    name: Name, reason: Reason, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Say no to letting an agent act, or take back what you asked."""
    api = connect(state, token_file, person)
    api.post(f"reinstatements/{_waiting(api, name)['id']}/decline", {"reason": reason})
    typer.echo(f"{name} stays as it is.")


def _waiting(api: Api, name: str) -> dict[str, str]:
    """What was asked for an agent and waits for a second person. Raises NarrowgateError where nothing does."""
    for asked in api.each("reinstatements", agent=name, status="waiting"):
        return asked
    raise NarrowgateError(f"Nobody has asked to let {name} act.", "Ask with narrowgate agent reinstate.")


@agent.command()
def change(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    purpose: Annotated[str | None, typer.Option(help="What it is for, in one sentence.")] = None,
    segment: Annotated[str | None, typer.Option(help="The segment it belongs to.")] = None,
    owner: Annotated[str | None, typer.Option(help="The user name of the person who answers for it.")] = None,
    deputy: Annotated[str | None, typer.Option(help="The user name of whoever stands in; empty for nobody.")] = None,
    task_scope: Annotated[str | None, typer.Option(help="What it may be given to do, and what not.")] = None,
    runtime: Annotated[str | None, typer.Option(help="Where it runs.")] = None,
    framework: Annotated[str | None, typer.Option(help="What it is built with.")] = None,
    model: Annotated[str | None, typer.Option(help="Its model, as vendor/name/version.")] = None,
    code_digest: Annotated[
        str | None, typer.Option(help="Of its code or image: sha256:…, or git: and a commit.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Tags of the data it is meant to touch, with commas.")] = None,
    review_by: Annotated[str | None, typer.Option(help="When somebody looks at all this again, as 2027-03-31.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Change what is registered of an agent. Its name stays."""
    about = described(task_scope, runtime, framework, model, code_digest, data, review_by)
    named = {"purpose": purpose, "segment": segment, "owner": owner, "deputy": deputy}
    body = about | {name: value for name, value in named.items() if value is not None} or given()
    said = connect(state, token_file, person).patch(f"agents/{name}", body)
    typer.echo(f"{said['name']} is in {said['segment']}; {said['owner']} answers for it. {said['purpose']}")


@agent.command()
def revoke(
    name: Name, reason: Reason, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """End every live credential of an agent, everywhere within a second. It may get new ones."""
    said = connect(state, token_file, person).post(f"agents/{name}/revoke-credentials", {"reason": reason})
    typer.echo(f"Ended: {said['ended']}.")


@agent.command()
def retire(
    name: Name, reason: Reason, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """End an agent for good. Its name is never used again."""
    said = connect(state, token_file, person).post(f"agents/{name}/retire", {"reason": reason})
    typer.echo(f"{said['name']} is {said['status']}.")


def described(*told: str | None) -> dict[str, Any]:
    """What options say of what an agent runs and may touch. Raises NarrowgateError for a model that is not in three parts."""
    names = ("task_scope", "runtime", "framework", "model", "code_digest", "data", "review_by")
    body: dict[str, Any] = {name: value for name, value in zip(names, told, strict=True) if value is not None}
    if "model" in body:
        parts = body.pop("model").split("/")
        if len(parts) > 3:
            raise NarrowgateError("A model is vendor/name/version.", "As in acme/large/2026-05.")
        body |= dict(zip(("model_vendor", "model_name", "model_version"), [*parts, "", ""][:3], strict=True))
    if "data" in body:
        body["data_classes"] = [one.strip() for one in body.pop("data").split(",") if one.strip()]
    if "review_by" in body:
        body["review_by"] = body["review_by"] or None
    return body


def _ensure_key(path: Path, algorithm: str) -> ECKey | OKPKey:
    """A new private key in `path`, mode 0600 from its first byte. Raises NarrowgateError."""
    if algorithm not in {"ES256", "Ed25519"}:
        raise NarrowgateError(f"{algorithm} is not allowed.", "Use ES256 or Ed25519.")
    key: ECKey | OKPKey = (
        ECKey.generate_key("P-256", private=True)
        if algorithm == "ES256"
        else OKPKey.generate_key("Ed25519", private=True)
    )
    try:
        create_private(path, json.dumps(key.as_dict(private=True)).encode())
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be written: {error.strerror}.") from None
    return read_key(path)


def _public_half(key: ECKey | OKPKey) -> dict[str, str]:
    return {name: str(value) for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}}
