"""What differs between two versions is said in words, by meaning and not by text."""

from __future__ import annotations

import pytest

from policies.difference import Part, differences, in_short
from policies.parse import policies
from policies.source import condition
from policies.terms import KNOWN

READS = '@id("reads") @why("Support reads.") permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop");'
HELD = """
@id("held") @hold("dba:1") @why("Somebody looks.")
forbid (principal, action in [Action::"sql:write", Action::"sql:ddl"], resource in Segment::"production")
unless { context has approval };
"""
NEVER = '@id("never") forbid (principal == Agent::"a.b", action, resource);'


def told(before: str, after: str) -> list[tuple[str, str, str, str]]:
    found = differences(policies(before), policies(after))
    return [(one.policy, one.outcome, one.reach, one.says) for one in found]


def test_what_is_new_and_what_is_gone() -> None:
    assert told("", READS + HELD + NEVER) == [
        ("reads", "allow", "more", "Becomes allowed"),
        ("held", "hold", "less", "Becomes held"),
        ("never", "deny", "less", "Becomes denied"),
    ]
    assert told(READS + HELD + NEVER, "") == [
        ("held", "hold", "more", "No longer held by this"),
        ("never", "deny", "more", "No longer denied by this"),
        ("reads", "allow", "less", "No longer allowed by this"),
    ]


def test_a_sentence_says_who_what_where_and_what_goes_with_it() -> None:
    text = READS.replace('@why("Support reads.")', '@unmask("email, phone") @limit("1000")')
    held = HELD.replace('@id("held")', '@id("held") @ttl("30m") @severity("high") @breakglass("oncall, security")')
    found = {one.policy: one for one in differences({}, policies(text + held + NEVER))}
    assert found["reads"].about == (
        "Agents of the function support: sql:read at the resource shop, email and phone unmasked, at most 1,000 rows."
    )
    assert found["held"].about == (
        "Every agent: sql:ddl and sql:write at resources in the segment production, "
        "held for dba:1, up to 30 min, severity high, oncall or security may break the glass."
    )
    assert found["held"].condition == "unless { context has approval }"
    assert found["never"].about == "The agent a.b: whatever they do at every resource."


@pytest.mark.parametrize(
    "after",
    [
        NEVER + READS + HELD,
        "// a comment\n" + READS.replace(" permit", "\n\n  permit") + HELD.replace("unless", "// why\nunless") + NEVER,
    ],
)
def test_order_comments_and_spaces_are_no_difference(after: str) -> None:
    assert differences(policies(READS + HELD + NEVER), policies(after)) == []


def test_what_changed_of_a_policy_is_said_part_by_part() -> None:
    after = HELD.replace('"dba:1"', '"dba:2"').replace("principal,", 'principal in Segment::"staging",')
    after = after.replace("unless", "when { context has where && !context.where } unless")
    (one,) = differences(policies(HELD), policies(after))
    assert (one.says, one.reach) == ("Changes what is held", "otherwise")
    assert one.parts == (
        Part("who", "every agent", "agents in the segment staging"),
        Part(
            "condition",
            "unless { context has approval }",
            "when { context has where && !context.where } unless { context has approval }",
        ),
        Part("approval", "held for dba:1, up to 15 min", "held for dba:2, up to 15 min"),
    )
    (one,) = differences(policies(HELD), policies(HELD.replace('@hold("dba:1")', "")))
    assert (one.says, one.outcome) == ("Becomes denied, was held", "deny")


def test_in_short() -> None:
    assert in_short(differences(policies(READS + HELD), policies(NEVER))) == "1 policy allows more and 2 allow less"
    assert in_short([]) == "Nothing that decides differs."


def test_a_condition_is_cut_from_the_text_whatever_stands_before_it() -> None:
    text = '// permit (x)\n@why("forbid (y) when") @id("a") permit (principal, action in [Action::"a(b"], resource)\nwhen { "; // no" == "" };'
    assert condition(text) == 'when { "; // no" == "" }'
    assert condition(READS) == ""


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (READS, '@why("Support reads.")'),
        (READS, '@limit("10")'),
        (READS, '@unmask("email")'),
        (READS, '@proof("5m")'),
        (HELD, '@hold("dba:1")'),
        (HELD, '@ttl("30m")'),
        (HELD, '@severity("high")'),
        (HELD, '@breakglass("oncall")'),
        (HELD, '@passkey("required")'),
        (HELD, '@escalate("oncall after 5m")'),
    ],
)
def test_no_annotation_comes_or_goes_unsaid(text: str, note: str) -> None:
    bare = text.replace(note, "")
    noted = bare.replace("@id", f"{note} @id")
    for before, after in ((bare, noted), (noted, bare)):
        (one,) = differences(policies(before), policies(after))
        assert one.parts or "denied" in one.says + one.outcome


def test_every_annotation_is_tried() -> None:
    marks = test_no_annotation_comes_or_goes_unsaid.pytestmark  # type: ignore[attr-defined]
    tried = {note.partition("(")[0].removeprefix("@") for _, note in marks[0].args[1]}
    assert tried == set(KNOWN) - {"id"}
