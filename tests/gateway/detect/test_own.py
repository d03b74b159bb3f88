"""A detector of the customer's: what may be written."""

from __future__ import annotations

import pytest

from agents.detectors.own import check
from core.errors import Invalid


def test_a_pattern_that_finds_its_sample_may_be_used() -> None:
    assert check("customer_number", r"CU-[0-9]{6,9}\b", "The customer CU-123456 asked.").name == "customer_number"


@pytest.mark.parametrize(
    ("name", "pattern", "sample", "field"),
    [
        ("Mine", "CU-[0-9]{6}", "CU-123456", "name"),
        ("ssn", "CU-[0-9]{6}", "CU-123456", "name"),
        ("x" * 41, "CU-[0-9]{6}", "CU-123456", "name"),
        ("mine", "", "CU-123456", "pattern"),
        ("mine", "CU-[0-9]+", "CU-123456", "pattern"),
        ("mine", "CU-.*", "CU-123456", "pattern"),
        ("mine", "(CU-[0-9]{100}){5}", "CU-123456", "pattern"),
        ("mine", "CU", "CU", "pattern"),
        ("mine", "(CU-[0-9]{6})?", "CU-123456", "pattern"),
        ("mine", "CU-[0-9", "CU-123456", "pattern"),
        ("mine", "(?<!x)CU-[0-9]{6}", "CU-123456", "pattern"),
        ("mine", r"(C)U-[0-9]{6}\1", "CU-123456C", "pattern"),
        ("mine", "é{5}", "ééééé", "pattern"),
        ("mine", "a\nbcd", "a\nbcd", "pattern"),
        ("mine", "(" * 200, "CU-123456", "pattern"),
        ("mine", "CU-[0-9]{6}", "CU-12345", "sample"),
        ("mine", "CU-[0-9]{6}", " ", "sample"),
        ("mine", "CU-[0-9]{6}", "CU-123456" * 200, "sample"),
    ],
)
def test_a_pattern_that_may_not_is_refused_by_its_field(name: str, pattern: str, sample: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(name, pattern, sample)
    assert refused.value.field == field
    assert refused.value.remedy
