"""`narrowgate policy export` and `verify`: a version as a signed file, checked without the console that signed it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import AsOption, TokenFileOption, connect
from cli.state import StateOption
from core.errors import NarrowgateError
from ledger import attested
from ledger.checkpoint import NoteError, VerifierKey

TITLE = "narrowgate policy version"
PARTS = ("text", "tests", "schema")


def export(
    number: Annotated[int, typer.Argument(help="The version's number.")],
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Write a version as one signed file: policies, test cases, schema, author, commit."""
    found = connect(state, token_file, person).get(f"policies/{number}/bundle")
    try:
        file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"The file {file} cannot be written: {error.strerror}.") from None
    typer.echo(
        f"{file}: version {number}. Verify it anywhere, with the key that your console names: narrowgate policy verify {file} --key …"
    )


def verify(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    key: Annotated[
        str, typer.Option(help="The public key that must have signed it: name+hash+key, or a file of such lines.")
    ],
    text: Annotated[Path | None, typer.Option(help="Write its policies there, once it holds.")] = None,
) -> None:
    """See, offline, that a version is as its console signed it. Exit status 0 only if it is."""
    bundle = _read(file)
    try:
        said = attested.opened(bundle["signature"], TITLE, _keys(key))
        attested.require_parts(said, {part: bundle[part].encode() for part in PARTS})
    except NoteError as error:
        raise NarrowgateError(f"{file} does not hold: {error}") from None
    if text is not None:
        text.write_text(bundle["text"], encoding="utf-8")
    typer.echo("\n".join([f"{file} is as it was signed.", *(f"  {name} {value}" for name, value in said.items())]))


def _read(file: Path) -> dict[str, str]:
    try:
        bundle: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NarrowgateError(f"The file {file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        bundle = None
    wanted = ("signature", *PARTS)
    if not isinstance(bundle, dict) or not all(isinstance(bundle.get(name), str) for name in wanted):
        raise NarrowgateError(
            f"{file} is no exported version.", "Have one written: narrowgate policy export 7 seven.json"
        )
    return {name: bundle[name] for name in wanted}


def _keys(said: str) -> list[VerifierKey]:
    """The keys of an option: one, or a file of them. Raises NoteError."""
    path = Path(said)
    try:
        lines = path.read_text(encoding="utf-8").split("\n") if "+" not in said and path.is_file() else [said]
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} cannot be read.") from None
    return [VerifierKey.parse(line) for line in lines if line.strip()]
