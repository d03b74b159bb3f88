"""Test cases of policies: what they say, what is wrong with them, and that a version whose cases fail is not proposed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from policies import actions, cases
from policies.models import PolicyVersion
from tests.cast import Cast
from tests.policies.worlds import AGENT, HELD, READS, WORLD, WRITES

TEXT = f"{READS}\n{WRITES}\n{HELD}"
GOOD = f"""
cases:
  - name: Support reads
    agent: {AGENT}
    resource: shop
    verbs: [sql:select]
    context: {{tables: [public.customers], tags: [email]}}
    expect: allow
    unmask: []
    by: [reads]
  - name: A write waits
    agent: {AGENT}
    resource: shop
    verbs: [sql:update]
    expect: hold
    needs: "security:1, dba:2"
"""


def results(tests: str, text: str = TEXT) -> list[cases.Result]:
    return list(cases.run(text, cases.parse(tests), WORLD).results)


def case(**changed: str) -> str:
    said = {"name": "x", "agent": AGENT, "resource": "shop", "verbs": "[sql:select]", "expect": "allow", **changed}
    return "cases:\n  - " + "\n    ".join(f"{name}: {value}" for name, value in said.items())


def test_good_cases_pass_and_say_what_they_met() -> None:
    tested = cases.run(TEXT, cases.parse(GOOD), WORLD)
    assert [(one.name, one.line, one.wrong) for one in tested.results] == [
        ("Support reads", 3, ()),
        ("A write waits", 11, ()),
    ]
    assert tested.results[0].determined == ("reads",)
    assert tested.uncovered == ("writes",)
    assert not tested.failed


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"expect": "deny"}, "Expected deny, but it is allow"),
        ({"verbs": "[sql:ddl]"}, "Expected allow, but it is deny"),
        ({"unmask": "[email]"}, "Expected to unmask email, but it unmasks nothing."),
        ({"limit": "10"}, "Expected at most 10 rows, but it is any number."),
        ({"by": "[held]"}, "Expected by held, but it is by reads."),
        ({"verbs": "[sql:update]", "expect": "hold", "needs": '"dba:1"'}, 'Expected to need "dba:1", but it needs "dba:2, security:1".'),
        ({"agent": "nobody.at.all"}, "There is no active agent nobody.at.all"),
        ({"resource": "nowhere"}, "There is no resource nowhere"),
        ({"context": "{approval: true}"}, "Expected allow, but it is deny"),
    ],
)  # fmt: skip
def test_a_case_that_fails_says_why(changed: dict[str, str], wrong: str) -> None:
    (result,) = results(case(**changed))
    assert not result.passed
    assert wrong in result.wrong[0]


def test_a_file_names_agents_and_resources_of_its_own() -> None:
    own = """
agents:
  - {name: support.test, function: support, environment: test, segment: test}
resources:
  - {name: crm, kind: postgres, segment: test}
"""
    text = '@id("all") permit (principal in Function::"support", action, resource in Segment::"test");'
    (result,) = results(own + case(agent="support.test", resource="crm"), text)
    assert result.passed


def test_several_documents_stand_apart() -> None:
    both = results(f"---\n{GOOD}---\n{case(expect='deny')}")
    assert [one.passed for one in both] == [True, True, False]
    assert both[2].line > both[1].line


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("cases: ]", 1, "It is no YAML"),
        ("a: &x 1\nb: *x", 2, "cannot point at another"),
        ("[" * 40 + "]" * 40, 1, "nests more than"),
        ("- 1", 1, "is a mapping of names"),
        ("cases: 2026-13-45", 1, "no value"),
        ("cass: []", 1, 'has no "cass"'),
        ("cases: 3", 1, "cases is a list"),
        ("cases:\n  - 3", 2, "A case is a mapping"),
        ("cases:\n  - {name: x}", 2, "says no agent"),
        (case(expect="maybe"), 2, 'cannot expect "maybe"'),
        (case(verbs="sql:select"), 2, "verbs is a list of texts"),
        (case(needs="dba"), 2, "is not a group and a number"),
        (case(limit="many"), 2, "limit is no number"),
        (case(agent="3"), 2, "agent is a text"),
        (case(context="[1]"), 2, "The context is a mapping"),
        (case(context="{tables: {a: 2026-01-01}}"), 2, "cannot be asked"),
        ("agents:\n  - {name: x}", 1, "An agent says no"),
        ("!!python/object/apply:os.system ['true']", 1, "It is no YAML"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, line: int, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        cases.parse(text)
    assert f"Line {line} " in caught.value.message
    assert reason in caught.value.message


def test_too_much_is_refused() -> None:
    with pytest.raises(Invalid, match="longer than 256 KiB"):
        cases.parse("#" * 300_000)
    with pytest.raises(Invalid, match="more than 2,000"):
        cases.parse("cases:\n" + f"{case()}\n".removeprefix("cases:\n") * 2_001)


pieces = st.sampled_from(
    [
        "cases:",
        "\n  - ",
        "name: x",
        "\n    ",
        "agent: a",
        "{",
        "}",
        "[",
        "]",
        "&a",
        "*a",
        "!!set",
        "---\n",
        "expect: allow",
        '"',
        ": ",
        "\0",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=120), st.lists(pieces, max_size=30).map("".join)))
def test_whatever_is_written_gets_an_answer(text: str) -> None:
    try:
        cases.run(TEXT, cases.parse(text), WORLD)
    except Invalid as error:
        assert error.message  # noqa: PT017 -- anything but Invalid fails the test


@pytest.mark.django_db
class TestVersions:
    TESTS = "cases:\n  - {name: nobody, agent: a.b, resource: c, verbs: [sql:select], expect: EXPECT}\nagents:\n  - {name: a.b, function: a, environment: b, segment: s}\nresources:\n  - {name: c, kind: postgres, segment: s}\n"
    ALL = '@id("a") permit (principal, action in Action::"sql:read", resource);'

    def test_a_version_keeps_its_cases_and_its_entry_binds_them(self, cast: Cast) -> None:
        version = actions.install(
            self.ALL, actor=cast.engineer, tests=self.TESTS.replace("EXPECT", "allow"), commit="a" * 40
        )
        kept = PolicyVersion.objects.get(id=version.id)
        assert (kept.commit, "nobody" in kept.tests) == ("a" * 40, True)
        from tests.policies.test_versions import events

        ((_, details),) = events()
        assert details["commit"] == "a" * 40
        assert str(details["tests"]).startswith("sha256:")

    def test_a_version_whose_cases_fail_is_a_draft_and_no_more(self, cast: Cast) -> None:
        failing = self.TESTS.replace("EXPECT", "deny")
        with pytest.raises(Invalid, match=r"“nobody” .line 2. fails: Expected deny"):
            actions.install(self.ALL, actor=cast.engineer, tests=failing)
        actions.install(self.ALL, actor=cast.engineer)
        drafted = actions.draft(self.ALL, actor=cast.engineer, tests=failing)
        with pytest.raises(Invalid, match="fails"):
            actions.propose(drafted.id, actor=cast.engineer)
        drafted.refresh_from_db()
        assert drafted.status == PolicyVersion.Status.DRAFT
        with pytest.raises(Invalid, match="no YAML"):
            actions.draft(self.ALL, actor=cast.engineer, tests="cases: [")
