"""Bad policy text gives line, reason and suggestion; never a traceback, never a dead process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from policies.check import Problem, Registry, check
from policies.evaluate import Engine
from policies.parse import AT_ONCE, policies
from tests.policies.worlds import HELD, READS, WORLD, WRITES

REGISTRY = Registry(groups={"dba", "security"}, tags={"email", "ssn"}, uids=WORLD.uids())
ANY = "(principal, action, resource)"


def test_good_text_has_no_problem() -> None:
    assert check(f"// all we need\n{READS}\n{WRITES}\n{HELD}", REGISTRY) == []
    assert check("", REGISTRY) == []


@pytest.mark.parametrize(
    ("text", "line", "reason", "suggestion"),
    [
        (f"permit {ANY};", 1, "no @id", "@id("),
        (f'\n\n@id("a") permit {ANY};\n@id("a") permit {ANY};', 4, "already that of line 3", "name of its own"),
        (f'@id("A b") permit {ANY};', 1, "cannot be a policy's @id", "lower-case"),
        (f'@id("a") @unmsk("email") permit {ANY};', 1, "no annotation @unmsk", "@unmask"),
        (f'@id("a") @hold("dba:0") forbid {ANY};', 1, "between 1 and", "dba:2"),
        (f'@id("a") @hold("") forbid {ANY};', 1, "not a group and a number", "dba:2"),
        (f'\n\n@id("a") @hold("dba:1 then dba") forbid {ANY};', 3, "not a group and a number", "dba:1 then security:1"),
        (f'@id("a") @hold("dba|dbas:1") forbid {ANY};', 1, 'no group "dbas"', '"dba"'),
        (f'@id("a") @hold("dba:1 not dbas") forbid {ANY};', 1, 'no group "dbas"', '"dba"'),
        (f'@id("a") @hold("dbas:1") forbid {ANY};', 1, 'no group "dbas"', '"dba"'),
        (f'@id("a") @hold("dba:1") permit {ANY};', 1, "@hold belongs on a forbid", "move it"),
        (f'@id("a") @hold("dba:1") @ttl("15") forbid {ANY};', 1, '@ttl("15")', '"15m"'),
        (f'@id("a") @hold("dba:1") @ttl("25h") forbid {ANY};', 1, '@ttl("25h")', "24h"),
        (f'@id("a") @ttl("1m") forbid {ANY};', 1, "holds nothing", "Remove"),
        (f'@id("a") @unmask("emial") permit {ANY};', 1, 'no tag "emial"', '"email"'),
        (f'@id("a") @unmask("e mail") permit {ANY};', 1, "is not a tag", "commas"),
        (f'@id("a") @unmask("email") forbid {ANY};', 1, "@unmask belongs on a permit", "move it"),
        (f'@id("a") @limit("0") permit {ANY};', 1, "not a number of rows", "1000"),
        (f'@id("a") @proof("2h") permit {ANY};', 1, "no age that a proof may have", "60s"),
        (f'@id("a") @proof("60") permit {ANY};', 1, '@proof("60")', "60s"),
        (
            f'@id("a") @proof("60s") forbid {ANY};',
            1,
            "@proof belongs on a permit, or on a forbid with @hold",
            "move it",
        ),
        (f'\n@id("a") @severity("hgh") forbid {ANY};', 2, '@severity("hgh") is none', '"high"'),
        (f'@id("a") @severity("") forbid {ANY};', 1, '@severity("") is none', "low, medium, high, critical"),
        (f'@id("a") @severity("low") permit {ANY};', 1, "@severity belongs on a forbid", "move it"),
        (f'\n@id("a") @hold("dba:1") @breakglass("dbas") forbid {ANY};', 2, 'no group "dbas"', '"dba"'),
        (f'@id("a") @hold("dba:1") @breakglass("dba:1") forbid {ANY};', 1, "is not a group", "One person of them"),
        (f'@id("a") @hold("dba:1") @breakglass forbid {ANY};', 1, "is not a group", "One person of them"),
        (f'@id("a") @breakglass("dba") forbid {ANY};', 1, "holds nothing", "Remove"),
        (f'\n@id("a") @hold("dba:1") @passkey("yes") forbid {ANY};', 2, "nothing it can say", '@passkey("required")'),
        (f'@id("a") @hold("dba:1") @passkeys("required") forbid {ANY};', 1, "no annotation", "@passkey?"),
        (f'@id("a") @passkey("required") forbid {ANY};', 1, "holds nothing", "Remove"),
        (f'\n@id("a") @hold("dba:1") @escalate("dba") forbid {ANY};', 2, "to whom and when", '"oncall after 10m"'),
        (f'@id("a") @hold("dba:1") @escalate("dbas after 5m") forbid {ANY};', 1, 'no group "dbas"', '"dba"'),
        (
            f'@id("a") @hold("dba:1") @ttl("5m") @escalate("dba after 5m") forbid {ANY};',
            1,
            "has expired",
            "longer @ttl",
        ),
        (f'@id("a") @escalate("dba after 5m") forbid {ANY};', 1, "holds nothing", "Remove"),
        (f'@id("a") @sevrity("low") forbid {ANY};', 1, "no annotation @sevrity", "@severity"),
        ('@id("a") permit (principal == ?principal, action, resource);', 1, "?principal", "Name the agent"),
        ('@id("a") permit (principal in Segment::"prodution", action, resource);', 1, "prodution", '"production"'),
        ('@id("a") permit (principal, action == Action::"sql:selct", resource);', 1, "sql:selct", ""),
        (f'\n@id("a") permit {ANY} when {{ context.where }};', 2, "optional attribute `where`", "Guard it"),
        (f'@id("a") permit {ANY} when {{ context.colour }};', 1, "`colour`", "tables"),
        (f'@id("a") permit {ANY};\n\npermit (principal,', 3, "Cedar cannot read it", "semicolon"),
        (f'@id("a") permit {ANY} when {{ "open }};', 1, "Cedar cannot read it", "quotation mark"),
        ("\0", 1, "Cedar cannot read it", ""),
    ],
)
def test_a_problem_has_its_line_reason_and_suggestion(text: str, line: int, reason: str, suggestion: str) -> None:
    problems = check(text, REGISTRY)
    assert any(
        found.line == line and reason in found.reason and suggestion in found.suggestion for found in problems
    ), problems


@pytest.mark.parametrize("opening", ["(", "[", "{a:", "true && ", "1 + ", "!", "if true then true else ", "ip("])
def test_nesting_that_would_end_the_process_is_refused(opening: str) -> None:
    text = f'@id("a") permit {ANY} when {{ {opening * 20_000} true }};'
    assert "nests more" in check(text)[0].reason
    assert "nests more" in check(text.replace("{ ", '{ "//" == // "\r', 1))[0].reason


def test_text_without_end_is_refused() -> None:
    assert check("x" * 17_000_000)[0].line == 1


def test_a_problem_is_one_line_for_people() -> None:
    assert str(Problem(3, "It is wrong.", "Do right.")) == "line 3: It is wrong. Do right."


words = (
    r"""@id ("a") permit forbid when unless { } ( ) ; " // context .where == && ?principal @hold ("dba:0") é \ - has"""
)
pieces = st.sampled_from([*words.split(), ANY, "\n", "\r", "\0", 'Action::"sql:select"', "9" * 30])


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(pieces, max_size=40).map(" ".join)))
def test_whatever_is_written_gets_an_answer(text: str) -> None:
    problems = check(text, REGISTRY)
    if problems:
        assert all(found.line >= 1 and found.reason for found in problems)
    else:
        Engine.build(text, WORLD, version=1)


@settings(max_examples=200, deadline=None)
@given(st.lists(pieces, max_size=40).map(" ".join))
def test_what_an_engine_accepts_the_check_accepts(text: str) -> None:
    try:
        Engine.build(text, WORLD, version=1)
    except Invalid:
        assert check(text)


def test_a_misspelt_attribute_of_the_context_is_named() -> None:
    text = '@id("x") @hold("dba:1") forbid (principal, action, resource) unless { context has aproval };'
    (problem,) = check(text)
    assert problem.line == 1
    assert "aproval" in problem.reason
    assert "approval" in problem.suggestion


def test_policies_are_read_a_few_at_a_time_and_each_once() -> None:
    texts = [f'// number {n}\n@id("p{n}") @why("a;b // c") permit {ANY};' for n in range(AT_ONCE + 3)]
    first = policies(" ".join(texts))
    assert list(first) == [f"p{n}" for n in range(AT_ONCE + 3)]
    assert [one.terms.why for one in first.values()] == ["a;b // c"] * (AT_ONCE + 3)
    changed = policies(" ".join([*texts[:-1], texts[-1].replace("permit", "forbid")]))
    assert changed["p0"] is first["p0"]
    assert (first[f"p{AT_ONCE + 2}"].terms.effect, changed[f"p{AT_ONCE + 2}"].terms.effect) == ("permit", "forbid")


def test_one_that_is_wrong_is_not_kept() -> None:
    for _ in range(2):
        with pytest.raises(Invalid):
            policies(f'@id("good") permit {ANY}; @id("bad") permit {ANY} when {{ context.where }};')
    with pytest.raises(Invalid, match="Two policies"):
        policies(f'@id("good") permit {ANY}; @id("good") permit {ANY};')
