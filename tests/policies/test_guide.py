"""The guide teaches policies that work: each example is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.check import check

GUIDE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
EXAMPLES = re.findall(r"```cedar\n(.*?)```", GUIDE, re.DOTALL)


def test_there_are_ten_examples() -> None:
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_passes_the_check(example: str) -> None:
    assert check(example) == []


def test_all_examples_together_pass_the_check() -> None:
    assert check("\n".join(EXAMPLES)) == []


def test_an_unknown_annotation_is_refused() -> None:
    assert check(EXAMPLES[4].replace("@ttl", "@tll"))
