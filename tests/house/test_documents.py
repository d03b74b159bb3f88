"""Documents that say what the code says: written from it, or run against it."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest

from approvals import errors as _approvals_errors  # noqa: F401 -- its errors are subclasses that a test looks for
from cli import page as commands_page
from console.help import refusals_page
from console.help.written import PAGES
from core.errors import NarrowgateError
from gateway.holds import WORDS as HOLDS_END
from policies.decision import Code
from tests.serving import RunningServer

ROOT = Path(__file__).parents[2]
APPS = "accounts activity agents approvals audit console core gateway ledger monitoring policies".split()  # noqa: SIM905
README = (ROOT / "README.md").read_text()
SHELL = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.split("#")[0].strip()
]
# Started by the `server` fixture; what CI itself runs; what the browser journey does with a person's help.
ELSEWHERE = {"script/server", "script/test"}
REFUSED = ("ssn LIKE", "DELETE FROM orders")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_written_from_code_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run script/docs"


def test_every_refusal_has_a_remedy_and_every_remedy_a_refusal() -> None:
    described = {code for codes in refusals_page.GROUPS.values() for code in codes}
    assert described == _codes_of_refusals()


def _codes_of_refusals() -> set[str]:
    """Every code that a refusal can carry: said where it is raised, of a class, or of a decision or a settled hold."""
    found = {code.value for code in Code} - {Code.PERMITTED, Code.HELD} | {code for code, _ in HOLDS_END.values()}
    found |= {"hold_ended", "unknown_cursor", "unknown_prepared"}  # put together from words
    for path in (path for app in APPS for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Refusal", "Refused"}
            ):
                found |= {
                    str(keyword.value.value)
                    for keyword in node.keywords
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
                }
            elif (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "Problem"
                and path.is_relative_to(ROOT / "gateway")
            ):
                found |= {str(code.value) for code in node.args[1:2] if isinstance(code, ast.Constant)}
    return found | {error.code for error in _all_errors(NarrowgateError) if "code" in vars(error)}


def _all_errors(kind: type[NarrowgateError]) -> set[type[NarrowgateError]]:
    return {one for sub in kind.__subclasses__() for one in (sub, *_all_errors(sub))}


SAID = re.compile(r"(?:^|`)(narrowgate [a-z][^`\n]*)|\$\((narrowgate [^)\n]*)\)", re.MULTILINE)


def test_every_command_that_a_document_says_exists_with_its_options() -> None:
    known = commands_page.page()
    for document in sorted((ROOT / "docs").glob("*.md")):
        for line in (one or other for one, other in SAID.findall(document.read_text())):
            words = list(takewhile("--".__ne__, shlex.split(line, comments=True)))  # what follows is another command's
            named = [name for name in (" ".join(words[:3]), " ".join(words[:2])) if f"## `{name}" in known]
            assert named, f"{document.name}: {line}"
            section = known.split(f"## `{named[0]}", 1)[1].split("\n## ", 1)[0]
            assert not [word for word in words if word.startswith("--") and f"`{word}`" not in section], line


def test_what_the_documents_link_to_is_there() -> None:
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def _run(line: str, server: RunningServer, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "NARROWGATE_STATE": str(server.state),
    }
    return subprocess.run(
        ["bash", "-c", line], env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.process
@pytest.mark.xdist_group("server")
@pytest.mark.parametrize(
    "line", [line for line in SHELL if line.startswith("narrowgate sql") and "order_id = 42" not in line]
)
def test_a_statement_of_the_readme_does_what_the_readme_says(line: str, server: RunningServer, tmp_path: Path) -> None:
    done = _run(line, server, tmp_path)
    if any(words in line for words in REFUSED):
        assert done.returncode == 1
        assert "(action " in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert ("***" in done.stdout) == ("ssn" in line)


@pytest.mark.process
@pytest.mark.xdist_group("server")
def test_psql_of_the_readme_connects(server: RunningServer, tmp_path: Path) -> None:
    export, psql = (next(line for line in SHELL if line.startswith(word)) for word in ("export", "psql"))
    port = server.demo["gateway"]["postgres"].rsplit(":", 1)[1]
    psql = re.sub(r"port=\d+", f"port={port}", psql)
    psql = psql.replace(".narrowgate/keys/ca.pem", shlex.quote(server.demo["gateway"]["ca"]))
    done = _run(f'{export} && {psql} -c "SELECT 1"', server, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
@pytest.mark.xdist_group("server")
def test_curl_of_the_readme_gets_a_parcel_whose_recipient_is_masked(server: RunningServer, tmp_path: Path) -> None:
    line = next(line for line in SHELL if line.startswith("curl"))
    line = line.replace(".narrowgate/keys/ca.pem", shlex.quote(server.demo["gateway"]["ca"]))
    done = _run(line.replace("localhost:8443", server.demo["gateway"]["http"]), server, tmp_path)
    parcel = json.loads(done.stdout)
    assert (parcel["number"], parcel["recipient"]) == (4411, {"name": "***", "email": "***"})


def test_every_command_of_the_readme_is_run_somewhere() -> None:
    """Here, by the fixture that starts the server, by CI, or by the browser journey (the hold, the evidence)."""
    kinds = (
        r"narrowgate sql ",
        r"export PGPASSWORD=\$\(narrowgate token ",
        r"psql ",
        r"curl --cacert ",
        r"narrowgate verify narrowgate-evidence-",
    )
    assert [line for line in SHELL if line not in ELSEWHERE and not any(re.match(kind, line) for kind in kinds)] == []
