"""`narrowgate resource`: put a database behind the gate, test the way to it, tag what must be masked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import Api, AsOption, TokenFileOption, connect, given
from cli.carry import carrying
from cli.output import may_do, table
from cli.state import StateOption
from core.errors import NarrowgateError

resource = typer.Typer(
    name="resource", help="Resources: add, list, change, retire, login, test, scan, tag.", no_args_is_help=True
)
carrying(resource, "resources")
Name = Annotated[str, typer.Argument(help="The resource's name, as agents will call it.")]
UserOption = Annotated[str, typer.Option(help="The database user that the gate signs in as.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the record.")]
PasswordOption = Annotated[
    Path | None, typer.Option(help="A file with the password, or - for standard input; else it is asked for.")
]


@resource.command()
def add(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    host: Annotated[str, typer.Option(help="Its host name, or the folder of a unix socket.")],
    segment: Annotated[str, typer.Option(help="The segment it belongs to.")],
    database: Annotated[str, typer.Option(help="The database's name on that server.")] = "",
    user: Annotated[str, typer.Option(help="The database user that the gate signs in as.")] = "",
    kind: Annotated[str, typer.Option(help="postgres, ssh, http or mcp.")] = "postgres",
    path: Annotated[str, typer.Option(help="Where an API or a tool server begins.")] = "",
    host_key: Annotated[str, typer.Option(help="An SSH host's key: SHA256:…")] = "",
    port: Annotated[int | None, typer.Option(help="Its port; the usual one of its kind otherwise.")] = None,
    tls: Annotated[str, typer.Option(help="verify-full; or off, on this machine only.")] = "verify-full",
    tls_ca: Annotated[
        Path | None, typer.Option(help="The CA certificate (PEM), where the system has not got it.")
    ] = None,
    owner: Annotated[str, typer.Option(help="The user name of the person who answers for it.")] = "",
    purpose: Annotated[str, typer.Option(help="What is in it.")] = "",
    role: Annotated[str, typer.Option(help="The role that agents' statements run as; the user's own otherwise.")] = "",
    password_file: PasswordOption = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Put a resource behind the gate: a PostgreSQL database unless --kind says otherwise. Its password goes to the vault."""
    api = connect(state, token_file, person)
    if kind == "postgres" and not (database and user):
        raise NarrowgateError("A PostgreSQL resource needs --database and --user.", "Or name another --kind.")
    where: dict[str, Any] = {
        "host": host,
        "tls": tls,
        "tls_ca": _text(tls_ca),
        "role": role,
        "path": path,
        "host_key": host_key,
    }
    where |= {"port": port} if port else {}
    about = {"name": name, "kind": kind, "segment": segment, "owner": owner, "purpose": purpose, "database": database}
    login = {"login": {"user": user, "password": _password(password_file, user)}} if user else {}
    said = api.post("resources", {**about, **where, **login})
    typer.echo(f"{said['name']} is behind the gate, in {said['segment']}. No policy allows anything there yet.")


@resource.command("list")
def list_resources(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The resources that you may see."""
    rows = connect(state, token_file, person).each("resources")
    fields = ("name", "kind", "segment", "owner", "purpose")
    table(("Resource", "Kind", "Segment", "Owner", "Purpose"), [[row[field] for field in fields] for row in rows])


@resource.command()
def reach(name: Name, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """Who can reach a resource by the policies in force; agents that policies cannot tell apart together."""
    said = connect(state, token_file, person).get(f"resources/{name}/reach")
    for one in said["reachers"]:
        typer.echo(", ".join(one["agents"]))
        may_do(one["permissions"])


@resource.command()
def login(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    user: UserOption,
    use: Annotated[str, typer.Option(help="actions, or reading for one that can only SELECT.")] = "actions",
    password_file: PasswordOption = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Store a login in the vault, over the one for the same use."""
    api = connect(state, token_file, person)
    api.put(f"resources/{name}/secret", {"user": user, "password": _password(password_file, user), "use": use})
    typer.echo(f"The vault holds {user} for {name}.")


@resource.command()
def describe(
    name: Name,
    document: Annotated[Path, typer.Argument(help="The API's OpenAPI document (3.0 or 3.1), JSON or YAML.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Say what an API can be asked for. What its document does not list does not pass the gate."""
    api = connect(state, token_file, person)
    api.put(f"resources/{name}/description", {"document": _text(document)})
    said = api.get(f"resources/{name}/description")
    typer.echo(
        f"{said['title']} {said['version']}: {len(said['operations'])} operations. Policies name each by context.operation."
    )


@resource.command()
def rotate(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    use: Annotated[str, typer.Option(help="actions, or reading.")] = "actions",
    every: Annotated[
        int | None, typer.Option(help="Days from one change to the next, from now on; 0 for never.")
    ] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Have a login's password changed within a minute, or every so many days. Nothing breaks in between."""
    api = connect(state, token_file, person)
    if every is None:
        said = api.post(f"resources/{name}/secret/rotate", {"use": use})
        typer.echo(f"The password of {said['login']} is changed within a minute.")
        return
    api.put(f"resources/{name}/secret/schedule", {"use": use, "days": every or None})
    typer.echo(f"It is changed every {every} days." if every else "It is changed by nobody but people.")


@resource.command()
def change(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    host: Annotated[str | None, typer.Option(help="Its host name, or the folder of a unix socket.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    database: Annotated[str | None, typer.Option(help="The database's name on that server.")] = None,
    segment: Annotated[str | None, typer.Option(help="The segment it belongs to.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it; empty for nobody.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What is in it.")] = None,
    role: Annotated[str | None, typer.Option(help="The role that agents' statements run as.")] = None,
    host_key: Annotated[str | None, typer.Option(help="An SSH host's key: SHA256:…")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Change what is registered of a resource and how it is reached. Test the connection afterwards."""
    body = given(
        host=host, port=port, database=database, segment=segment, owner=owner, purpose=purpose, role=role, host_key=host_key
    )  # fmt: skip
    said = connect(state, token_file, person).patch(f"resources/{name}", body)
    typer.echo(f"{said['name']} is changed. Test the way to it: narrowgate resource test {said['name']}")


@resource.command()
def retire(
    name: Name,
    reason: ReasonOption,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Take a resource from behind the gate for good: sessions end within a second, its logins leave the vault."""
    said = connect(state, token_file, person).post(f"resources/{name}/retire", {"reason": reason})
    typer.echo(f"{said['name']} is behind the gate no longer.")


@resource.command("test")
def try_connection(
    name: Name, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Connect as the gate would and say what is wrong. Exit status 0 only if it works."""
    tried = connect(state, token_file, person).post(f"resources/{name}/test")
    typer.echo(f"{'Works' if tried['ok'] else 'Does not work'}: {tried['says']} {tried['remedy']}".rstrip())
    if tried["server"]:
        typer.echo(f"{tried['server']}, in {tried['took_ms']} ms.")
    for warning in tried["warnings"]:
        typer.echo(f"Beware: {warning}")
    raise typer.Exit(0 if tried["ok"] else 1)


@resource.command()
def scan(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    confirm: Annotated[bool, typer.Option("--confirm", help="Ask about each and tag what you say yes to.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --confirm: say yes to all.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Look for columns that hold personal data. Nothing is tagged unless you confirm it."""
    api = connect(state, token_file, person)
    found = api.post(f"resources/{name}/scan")
    for table_name in found["unread"]:
        typer.echo(f"{table_name} could not be read: judged by its names alone.", err=True)
    if not found["suggestions"]:
        typer.echo(f"Nothing found in {found['columns']} columns of {found['tables']} tables that is not tagged.")
    if not confirm:
        table(
            ("Column", "Tag", "Because"), [(_column(one), one["tag"], one["because"]) for one in found["suggestions"]]
        )
        return
    for one in found["suggestions"]:
        if yes or typer.confirm(f"{_column(one)} is {one['tag']}? {one['because']}", default=True, err=True):
            _tag(api, name, {key: one[key] for key in ("schema", "table", "column", "tag")})


@resource.command()
def tag(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    column: Annotated[str, typer.Argument(help="schema.table.column, or table.column in public.")],
    tag_name: Annotated[str, typer.Argument(metavar="TAG", help="What it holds: email, ssn, …")],
    lookup: Annotated[bool, typer.Option(help="May stand in an equality with a constant.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Say what kind of data a column holds: from now on it is masked unless a permit unmasks the tag."""
    _tag(connect(state, token_file, person), name, {**_place(column), "tag": tag_name, "lookup": lookup})


@resource.command()
def untag(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    column: Annotated[str, typer.Argument(help="schema.table.column, or table.column in public.")],
    reason: ReasonOption,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Take the tag off a column: from now on it is masked no longer."""
    connect(state, token_file, person).post(f"resources/{name}/tags/remove", {**_place(column), "reason": reason})
    typer.echo(f"{column} is masked no longer.")


def _place(column: str) -> dict[str, str]:
    parts = column.split(".")
    if len(parts) not in {2, 3} or not all(parts):
        raise NarrowgateError(f"{column} is not a column.", "Write table.column, or schema.table.column.")
    schema, table_name, column_name = parts if len(parts) == 3 else ["public", *parts]
    return {"schema": schema, "table": table_name, "column": column_name}


def _tag(api: Api, name: str, body: dict[str, Any]) -> None:
    said = api.post(f"resources/{name}/tags", body)
    typer.echo(f"{_column(said)} is tagged {said['tag']}.")


def _column(one: dict[str, Any]) -> str:
    return f"{one['schema']}.{one['table']}.{one['column']}"


def _password(path: Path | None, user: str) -> str:
    """From a file, standard input or a prompt: never from the command line, where every process can read it."""
    if path is None and sys.stdin.isatty():
        return str(typer.prompt(f"Password of {user}", hide_input=True, err=True))
    if path is None or str(path) == "-":
        return sys.stdin.readline().rstrip("\r\n")
    return _text(path).rstrip("\r\n")


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} cannot be read.") from None
