"""Documents that say what the code says: written from it, or run against it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli import page as commands_page
from console import api_page
from tests.serving import RunningServer

ROOT = Path(__file__).parents[2]
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


def test_the_commands_page_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == commands_page.page()


def test_the_api_page_is_what_the_api_says() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == api_page.page()


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


def test_every_command_of_the_readme_is_run_somewhere() -> None:
    """Here, by the fixture that starts the server, by CI, or by the browser journey (the hold, the evidence)."""
    kinds = (
        r"narrowgate sql ",
        r"export PGPASSWORD=\$\(narrowgate token ",
        r"psql ",
        r"narrowgate verify narrowgate-evidence-",
    )
    assert [line for line in SHELL if line not in ELSEWHERE and not any(re.match(kind, line) for kind in kinds)] == []
