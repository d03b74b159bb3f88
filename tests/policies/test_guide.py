"""The guide teaches policies that work: each example is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.demo.inventory import demo_cases, policy_text
from policies import cases
from policies.check import check
from policies.world import World

GUIDE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
CASES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)[0]
EXAMPLES = re.findall(r"```cedar\n(.*?)```", GUIDE, re.DOTALL)


def test_there_are_ten_examples() -> None:
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_passes_the_check(example: str) -> None:
    assert check(example) == []


def test_all_examples_together_pass_the_check() -> None:
    assert check("\n".join(EXAMPLES)) == []


def test_the_guides_test_cases_pass_and_meet_what_can_be_met() -> None:
    tested = cases.run("\n".join(EXAMPLES), cases.parse(CASES), World.of((), ()))
    assert [(one.name, one.wrong) for one in tested.failed] == []
    assert len(tested.results) == 7
    # What is held is determined by what holds it; and payments may be changed by nobody there, so nothing is held.
    assert tested.uncovered == ("payment-changes-need-three-people", "the-warehouse-sends-orders")


def test_the_demos_test_cases_pass() -> None:
    tested = cases.run(policy_text(), cases.parse(demo_cases()), World.of((), ()))
    assert [(one.name, one.wrong) for one in tested.failed] == []


def test_an_unknown_annotation_is_refused() -> None:
    assert check(EXAMPLES[4].replace("@ttl", "@tll"))
