"""The house rules that a machine can check: sizes, imports kept in one place, documents that name what the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
APPS = (
    "core ledger accounts agents activity policies approvals gateway monitoring audit console cli".split()  # noqa: SIM905
)
MODULES = sorted(
    path
    for app in APPS
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts and path.name != "__init__.py"
)
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTION))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def test_no_module_is_over_400_lines() -> None:
    sizes = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in MODULES}
    assert not {str(path): size for path, size in sizes.items() if size > 400}


def test_no_function_is_over_50_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.name}": _length(node)
        for path in MODULES
        for node in _functions(path)
        if _length(node) > 50
    }
    assert not long


def test_the_median_function_is_short() -> None:
    assert median(_length(node) for path in MODULES for node in _functions(path)) <= 10


@pytest.mark.parametrize("kind", [".js", ".css"])
def test_no_script_or_style_grows_past_its_limit(kind: str) -> None:
    limit = {".js": 150, ".css": 400}[kind]
    own = [path for path in (ROOT / "static").rglob(f"*{kind}") if "vendor" not in path.parts]
    assert own
    assert not {path.name: n for path in own if (n := len(path.read_text().splitlines())) > limit}


def test_only_accounts_imports_guardian() -> None:
    importers = {
        path.relative_to(ROOT).parts[0]
        for path in MODULES
        if re.search(r"^(from|import) guardian", path.read_text(), re.MULTILINE)
    }
    assert importers <= {"accounts"}


def test_pure_modules_import_no_django() -> None:
    pure = [path for path in MODULES if re.match(r'"""[^"]*?\bPure\b', path.read_text())]
    assert len(pure) >= 10
    impure = {
        str(path.relative_to(ROOT))
        for path in pure
        if re.search(r"^\s*(from|import) (django|psycopg|rest_framework|channels)\b", path.read_text(), re.MULTILINE)
    }
    assert not impure


def test_status_is_written_by_actions_alone() -> None:
    """A hold's and an agent's status change only in `actions.py`: nobody else assigns `.status`."""
    writers = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.name != "actions.py" and re.search(r"\b(hold|agent|action|version)\.status = ", path.read_text())
    }
    assert not writers


READERS = {"text", "flag", "number", "words", "secret"}


def _settings_read() -> set[str]:
    calls = (node for path in MODULES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in READERS
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and call.args[0].value.isupper()
    }


def test_every_setting_is_described_and_every_description_is_of_a_setting() -> None:
    from console.help.settings_page import SAYS, settings_read

    assert _settings_read() == set(SAYS) == {one.name for one in settings_read()}


def test_every_event_is_documented() -> None:
    from ledger.events import Event

    documented = (ROOT / "docs" / "events.md").read_text()
    assert not {event.value for event in Event if f"`{event.value}`" not in documented}


def test_every_dependency_is_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    explained = (ROOT / "docs" / "dependencies.md").read_text().lower()
    names = {re.split(r"[\[><=, ]", line)[0].lower() for line in named}
    assert not {name for name in names if f"`{name}`" not in explained}


def test_the_repository_names_no_machine() -> None:
    """No path of somebody's machine in what we ship."""
    texts = [path for path in [*MODULES, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")] if path.is_file()]
    assert not {str(path) for path in texts if re.search(r"/work/(main|shared|plan)", path.read_text())}


AGENTS_WORDS = re.compile(
    r"\{\{\s*(?:\w+\.)*(?:hold|action|session)\.(?:summary|shown|purpose|client|message|reason|end_reason)\b[^}]*\}\}"
)


def test_no_page_shows_an_agents_words_as_they_are() -> None:
    """They go through `told`, `one_line` or `shown`, which mark characters that are not what they seem."""
    pages = list((ROOT / "templates").rglob("*.html"))
    assert len(pages) > 50
    found = {str(page.relative_to(ROOT)): AGENTS_WORDS.findall(page.read_text()) for page in pages}
    assert not {page: words for page, words in found.items() if words}
