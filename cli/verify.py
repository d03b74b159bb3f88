"""`narrowgate verify`: check a package of evidence, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.verify import verify as check
from ledger.verify_primitives import Unreadable


def verify(
    evidence: Annotated[Path, typer.Argument(help="A package of evidence: the ZIP that an export gives.")],
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint that you hold, to compare with.")] = None,
    key: Annotated[str | None, typer.Option(help="The verifier key you were given: name+hash+key.")] = None,
    witness: Annotated[
        list[str] | None, typer.Option(help="The key of a witness that must have cosigned; repeat it.")
    ] = None,
) -> None:
    """Check a package of evidence, offline. Exit status 0 only if it is valid."""
    try:
        report = check(evidence, checkpoint, key, witness or [])
    except Unreadable as error:
        typer.echo(f"NOT VALID: {error}")
        raise typer.Exit(1) from None
    for line in report.lines():
        typer.echo(line)
    raise typer.Exit(0 if report.ok else 1)
