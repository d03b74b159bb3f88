"""The console's API as the command line calls it: `Authorization: Token`, problem details (RFC 9457) as sentences."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import httpx
import typer

from cli.state import read
from core.errors import NarrowgateError

TOKEN_VARIABLE = "NARROWGATE_TOKEN"  # noqa: S105 -- the name of a variable
CONSOLE_VARIABLE = "NARROWGATE_CONSOLE"
TIMEOUT = 60.0  # seconds: a scan of many tables takes some

TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", help=f"A file with your API token; else the variable {TOKEN_VARIABLE}."),
]
AsOption = Annotated[str, typer.Option("--as", help="A person of the demo, whose token is in demo.json.")]


@dataclass(frozen=True)
class Api:
    """The console, spoken to as one person."""

    console: str
    token: str = field(repr=False)

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 -- JSON
        """What is at `path`. Raises NarrowgateError with the console's reason."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 -- JSON
        """Send `body` to `path`. Raises NarrowgateError with the console's reason."""
        return self._call("POST", path, json=dict(body or {}))

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Put `body` at `path`. Raises NarrowgateError with the console's reason."""
        self._call("PUT", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
        """Change what `body` names at `path`. Raises NarrowgateError with the console's reason."""
        return self._call("PATCH", path, json=dict(body))

    def download(self, path: str, into: Path, *, sha256: str) -> None:
        """Put what is at `path` into a new file, going on where an earlier try broke off: what has come is kept beside it.

        Raises NarrowgateError, and leaves no file, unless its SHA-256 (hex) is `sha256`.
        """
        part = into.with_name(f"{into.name}.{sha256[:8]}.part")
        if into.exists():
            raise _exists(into)
        try:
            with part.open("ab") as file:
                self._stream(path, file, sha256)
            if _sha256(part) != sha256:
                part.unlink()
                raise NarrowgateError(f"{into.name} did not arrive as it was made.", "Try again.")
            os.link(part, into)
            part.unlink()
        except FileExistsError:
            raise _exists(into) from None
        except OSError as error:
            raise NarrowgateError(f"{into} cannot be written: {error.strerror}.") from None

    def each(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every member of a collection, page after page."""
        page = self._call("GET", path, params={"limit": "200", **query})
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            page = self._call("GET", path, params=dict(httpx.URL(page["next"]).params))

    def _stream(self, path: str, file: IO[bytes], sha256: str) -> None:
        """Write what is at `path` to `file`, which holds the beginning of it."""
        here = file.tell()
        rest = {"Range": f"bytes={here}-", "If-Range": f'"{sha256}"'} if here else {}
        try:
            with httpx.stream(
                "GET", self._url(path), headers=self._headers | rest, timeout=TIMEOUT, trust_env=False
            ) as answer:
                if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return  # all of it has come before
                if not answer.is_success:
                    answer.read()
                    raise refusal(answer.json())
                if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                    file.truncate(0)
                for part in answer.iter_raw():
                    file.write(part)
        except (httpx.HTTPError, ValueError) as error:
            raise self._silent(error) from None

    def _call(self, method: str, path: str, **sent: Any) -> Any:  # noqa: ANN401 -- JSON both ways
        try:
            answer = httpx.request(
                method, self._url(path), headers=self._headers, timeout=TIMEOUT, trust_env=False, **sent
            )
            said = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as error:
            raise self._silent(error) from None
        if answer.is_success:
            return said
        raise refusal(said)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}"}

    def _url(self, path: str) -> str:
        return f"{self.console.rstrip('/')}/api/v1/{path}"

    def _silent(self, error: Exception) -> NarrowgateError:
        return NarrowgateError(f"The console at {self.console} does not answer: {error}.", "Does it run?")


def _exists(into: Path) -> NarrowgateError:
    return NarrowgateError(f"There is a file {into} already.", "Move it away, or choose a folder with --into.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def connect(state: Path | None, token_file: Path | None, person: str) -> Api:
    """The console to speak to and the token to speak with. Raises NarrowgateError when there is none."""
    console = os.environ.get(CONSOLE_VARIABLE) or read(state).console
    if person:
        return Api(console, read(state).token_of(person))
    if token_file is not None:
        return Api(console, _from_file(token_file))
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise NarrowgateError(
            "This takes a person's API token.",
            f"Give --token-file FILE, set {TOKEN_VARIABLE}, or --as PERSON of the demo.",
        )
    return Api(console, token)


def given(**options: str | int | None) -> dict[str, str | int]:
    """The options that were given. Raises NarrowgateError when none was."""
    found = {name: value for name, value in options.items() if value is not None}
    if not found:
        raise NarrowgateError("Nothing was to be changed.", "Name at least one option; --help lists them.")
    return found


def refusal(said: object) -> NarrowgateError:
    """A problem in a sentence: what was refused, each field that cannot be used, what to do."""
    if not isinstance(said, dict):
        return NarrowgateError("The console refuses, without saying why.")
    told = str(said.get("detail", "The console refuses."))
    if said.get("field"):
        told = f"{said['field']}: {told}"
    fields = "; ".join(_fields(said.get("errors")))
    return NarrowgateError(f"{told} {fields}".strip(), str(said.get("remedy", "")))


def _fields(errors: object, path: str = "") -> Iterator[str]:
    """`{"login": {"password": ["…"]}}` as "login.password: …"."""
    if isinstance(errors, dict):
        for name, inner in errors.items():
            yield from _fields(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(errors, list):
        for inner in errors:
            yield from _fields(inner, path)
    elif errors:
        yield f"{path}: {errors}" if path else str(errors)


def _from_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The token file {path} cannot be read.") from None
