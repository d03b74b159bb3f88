"""Starter packs: policies for a kind of work, with their test cases and what to change before proposing them. `policies/packs/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from policies import cases
from policies.parse import policies
from policies.world import World

FOLDER: Final = Path(__file__).parent / "packs"


@dataclass(frozen=True)
class Pack:
    """One of them. `about` is its first paragraph, `tests` are YAML, `readme` is Markdown."""

    name: str
    title: str
    about: str
    readme: str
    text: str
    tests: str

    @property
    def says(self) -> list[tuple[list[str], list[list[str]]]]:
        """The rest of its README as pages show it: paragraphs, each with the points that follow it; every second piece is code."""
        found: list[tuple[list[str], list[list[str]]]] = []
        for part in self.readme.split("\n\n")[2:]:
            if part.startswith("* "):
                found[-1][1].extend(_pieces(point) for point in part.removeprefix("* ").split("\n* "))
            else:
                found.append((_pieces(part), []))
        return found

    def tested(self) -> cases.Tested:
        """Its own test cases against nothing but itself."""
        return cases.run(self.text, cases.parse(self.tests), World.of((), ()))

    def added_to(self, text: str, tests: str) -> tuple[str, str]:
        """A version's policies and test cases with those of the pack; what is there already is not added again."""
        there = policies(text).keys() if text.strip() else frozenset[str]()
        if not policies(self.text).keys() - there:
            return text, tests
        return _joined(text, self.text, "\n"), _joined(tests, self.tests, "---\n")


def _pieces(text: str) -> list[str]:
    return " ".join(text.split()).split("`")


def _joined(before: str, after: str, between: str) -> str:
    return f"{before.rstrip()}\n{between}{after}" if before.strip() else after


@cache
def packs() -> Mapping[str, Pack]:
    """All of them, by name."""
    return MappingProxyType({folder.name: _read(folder) for folder in sorted(FOLDER.iterdir()) if folder.is_dir()})


def _read(folder: Path) -> Pack:
    readme, text, tests = (
        (folder / name).read_text(encoding="utf-8") for name in ("README.md", "policies.cedar", "pack.test.yaml")
    )
    title, about, *_ = [part.strip() for part in readme.split("\n\n")]
    return Pack(folder.name, title.removeprefix("# "), " ".join(about.split()), readme, text, tests)
