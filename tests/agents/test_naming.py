from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.naming import ENVIRONMENTS, AgentName, parse, suggest
from core.errors import Invalid

functions = st.from_regex(r"[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,10}){0,2}", fullmatch=True)
instances = st.one_of(st.just(""), st.integers(1, 99).map(lambda number: f"{number:02d}"))


@given(functions, st.sampled_from(ENVIRONMENTS), instances)
def test_every_name_that_follows_the_rule_is_read_back(function: str, environment: str, instance: str) -> None:
    name = AgentName(function, environment, instance)
    assert parse(str(name)) == name


@given(st.text(max_size=80))
def test_whatever_is_suggested_follows_the_rule(text: str) -> None:
    suggestion = suggest(text)
    if suggestion is not None:
        assert str(parse(suggestion)) == suggestion


@pytest.mark.parametrize(
    ("name", "says", "perhaps"),
    [
        ("Support.production", "not a function", "support.production"),
        ("support.prod", "not an environment", "support.production"),
        ("support-bot-dev", "not function.environment", "support-bot.development"),
        ("support", "not function.environment", "support.production"),
        ("support.production.7", "not an instance", "support.production.07"),
        ("support.production.00", "not an instance", "support.production"),
        ("support_bot.staging", "not a function", "support-bot.staging"),
        ("support.productoin", "not an environment", "support.production"),
        ("söpport.test", "not a function", "sopport.test"),
        ("a..production", "not an environment", "a.production"),
        ("-a.production", "not a function", "a.production"),
        ("a--b.production", "not a function", "a-b.production"),
        ("support.production.01.02", "not function.environment", None),
        ("support.production\n", "not an environment", "support.production"),
        ("x" * 60 + ".production", "at most 63", None),
        ("", "not function.environment", None),
    ],
)
def test_a_name_that_breaks_the_rule_is_refused_with_help(name: str, says: str, perhaps: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        parse(name)
    assert says in refused.value.message
    if perhaps is not None:
        assert refused.value.remedy == f"Perhaps {perhaps}?"
