"""An action that comes down to several parts: each is asked about alone, and the strictest answer counts."""

from __future__ import annotations

import pytest

from policies.decision import Ask, Code, Verdict
from policies.question import question_of, read
from tests.policies.worlds import AGENT, SECRET, WORLD, engine

LS = '@id("ls") permit (principal, action == Action::"ssh:exec", resource) when { context has operation && context.operation == "ls" };'
RM = '@id("rm") permit (principal, action == Action::"ssh:exec", resource) when { context has operation && context.operation == "rm" };'
HELD = """@id("rm-needs-people") @hold("dba:1")
forbid (principal, action == Action::"ssh:exec", resource)
when { context has args && context.args has command && context.args.command like "rm -rf *" } unless { context has approval };"""
LOGS = """@id("logs") permit (principal, action == Action::"ssh:write", resource)
when { context has args && context.args has path && context.args.path like "/var/log/*" };"""


def part(program: str, command: str) -> tuple[str, dict[str, object]]:
    return "ssh:exec", {"operation": program, "args": {"command": command}}


def asked(*parts: tuple[str, dict[str, object]]) -> Ask:
    return Ask(AGENT, frozenset(verb for verb, _ in parts), "shop", {"environment": "production"}, each=parts)


def test_two_permits_let_two_programs_through() -> None:
    decision = engine(LS, RM).decide(asked(part("ls", "ls -l"), part("rm", "rm x")))
    assert (decision.verdict, decision.policies) == (Verdict.ALLOW, ("ls", "rm"))


@pytest.mark.parametrize("parts", [[part("dd", "dd"), part("ls", "ls")], [part("ls", "ls"), part("dd", "dd")]])
def test_one_that_nobody_permits_denies_all(parts: list[tuple[str, dict[str, object]]]) -> None:
    decision = engine(LS, RM).decide(asked(*parts))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_MATCH)


def test_one_that_is_held_holds_all() -> None:
    decision = engine(LS, RM, HELD).decide(asked(part("ls", "ls"), part("rm", "rm -rf /srv/x")))
    assert (decision.verdict, decision.policies) == (Verdict.HOLD, ("rm-needs-people",))


def test_each_has_a_verb_of_its_own() -> None:
    writes: tuple[str, dict[str, object]] = "ssh:write", {"args": {"path": "/var/log/x"}}
    assert engine(LS, LOGS).decide(asked(part("ls", "ls"), writes)).verdict is Verdict.ALLOW
    elsewhere: tuple[str, dict[str, object]] = "ssh:write", {"args": {"path": "/etc/x"}}
    assert engine(LS, LOGS).decide(asked(part("ls", "ls"), elsewhere)).verdict is Verdict.DENY


def test_a_part_says_no_more_than_a_request_may() -> None:
    decision = engine(LS).decide(asked(("ssh:exec", {"operation": "ls", "approval": True})))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.RESERVED_CONTEXT)


def test_the_question_is_kept_with_its_parts() -> None:
    ask = asked(part("ls", "ls"), ("ssh:write", {"args": {"path": "/x", "fixed": True}}))
    kept = question_of(ask, WORLD.agents[AGENT], WORLD.resources["shop"], SECRET)
    assert read(kept.text).ask == ask
    assert read(kept.text).ask.keyed == ask.keyed
    other = asked(part("ls", "ls"))
    assert other.keyed != ask.keyed


def test_the_refusal_names_the_part() -> None:
    assert "to do ssh:exec (dd) at shop" in engine(LS).decide(asked(part("ls", "ls"), part("dd", "dd if=x"))).why
    elsewhere: tuple[str, dict[str, object]] = "ssh:write", {"args": {"path": "/etc/x"}}
    assert "to do ssh:write (/etc/x) at shop" in engine(LS, LOGS).decide(asked(elsewhere)).why
