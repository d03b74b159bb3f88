"""What is wrong with files, for people and for pipelines: lines, JSON, or SARIF 2.1.0 (OASIS). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote


class Output(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MARK = {"error": "", "warning": "worth a look: "}


@dataclass(frozen=True)
class Finding:
    """One thing at a line (from 1) of a file; `rule` names its kind, `level` is SARIF's: error or warning."""

    file: str
    line: int
    rule: str
    message: str
    level: str = "error"

    @classmethod
    def at(cls, place: tuple[Path, int], rule: str, message: str, level: str = "error") -> Finding:
        """A finding at a place."""
        return cls(place[0].as_posix(), place[1], rule, message, level)


def printed(findings: Sequence[Finding], how: Output, *, well: str) -> str:
    """The findings as text for `how`; `well` is what people read where there is none."""
    if how is Output.JSON:
        return json.dumps({"findings": [asdict(one) for one in findings]}, indent=2)
    if how is Output.SARIF:
        return json.dumps(_sarif(findings), indent=2)
    lines = [f"{one.file}:{one.line}: {_MARK[one.level]}{one.message}" for one in findings]
    return "\n".join([*lines, *([well] if all(one.level == "warning" for one in findings) else ())])


def _sarif(findings: Iterable[Finding]) -> dict[str, object]:
    found = list(findings)
    rules = [{"id": rule} for rule in sorted({one.rule for one in found})]
    driver = {"name": "narrowgate policy", "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(one) for one in found]}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(one: Finding) -> dict[str, object]:
    place = {"artifactLocation": {"uri": quote(one.file)}, "region": {"startLine": one.line}}
    return {
        "ruleId": one.rule,
        "level": one.level,
        "message": {"text": one.message},
        "locations": [{"physicalLocation": place}],
    }
