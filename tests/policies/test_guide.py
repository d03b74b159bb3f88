"""The guide teaches policies that work: each example is checked, and the list of what a policy can read is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.check import check
from policies.context import CEDAR_TYPES
from policies.verbs import GROUPS, VERBS

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


@pytest.mark.parametrize("name", sorted({*VERBS, *GROUPS, *(f"context.{key}" for key in CEDAR_TYPES)}))
def test_the_guide_names_everything_a_policy_can_read(name: str) -> None:
    assert f"`{name}`" in GUIDE
