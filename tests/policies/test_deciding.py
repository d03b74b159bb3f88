"""What is allowed, held and denied, and that nothing is allowed by absence."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from accounts.quorum import Requirement
from policies.evaluate import Ask, Code, Engine, Reason, Verdict
from policies.ruling import Ruling, combine
from policies.terms import Escalation
from policies.verbs import VERBS
from policies.world import AgentFacts, World
from tests.policies.worlds import AGENT, HELD, READS, WORLD, WRITES, ask, engine


def test_a_permit_allows_and_says_which() -> None:
    decision = engine(READS, WRITES, HELD).decide(ask("sql:select"))
    assert (decision.verdict, decision.code, decision.why) == (Verdict.ALLOW, Code.PERMITTED, "Allowed by reads.")
    assert [(reason.policy, reason.effect) for reason in decision.reasons] == [("reads", "permit")]
    assert decision.policy_version == 7
    assert decision.snapshot.startswith("sha256:")


@pytest.mark.parametrize("verb", sorted(VERBS - {"sql:select", "sql:session"}))
def test_what_no_policy_allows_is_denied(verb: str) -> None:
    decision = engine(READS).decide(ask(verb))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_MATCH)
    assert verb in decision.why


def test_another_agent_and_another_resource_are_denied() -> None:
    decide = engine(READS).decide
    assert decide(ask("sql:select", agent="report.staging")).code is Code.NO_MATCH
    assert decide(ask("sql:select", resource="attic")).code is Code.NO_MATCH


def test_a_held_write_says_who_must_approve_and_until_when() -> None:
    decision = engine(WRITES, HELD).decide(ask("sql:delete"))
    assert (decision.verdict, decision.why) == (Verdict.HOLD, "Writes to production need three people.")
    assert decision.requirement == Requirement({"dba": 2, "security": 1})
    assert decision.ttl == timedelta(minutes=15)
    assert [reason.policy for reason in decision.reasons] == ["held"]


def test_a_hold_policy_alone_holds_nothing() -> None:
    """People cannot approve what no permit would allow."""
    assert engine(HELD, READS).decide(ask("sql:delete")).code is Code.NO_MATCH


def test_a_plain_forbid_beats_a_hold_and_a_hold_beats_a_permit() -> None:
    plain = '@id("never") forbid (principal, action, resource == Resource::"shop");'
    decision = engine(WRITES, HELD, plain).decide(ask("sql:delete"))
    assert (decision.verdict, decision.requirement) == (Verdict.DENY, None)
    assert {reason.policy for reason in decision.reasons} == {"never", "held"}


def test_a_forbid_that_yields_to_approval_but_says_no_hold_denies() -> None:
    """Who may approve, and how many it takes, is said by @hold alone."""
    quiet = '@id("quiet") forbid (principal, action, resource) unless { context has approval };'
    assert engine(WRITES, quiet).decide(ask("sql:delete")).code is Code.FORBIDDEN
    assert engine(WRITES, HELD, quiet).decide(ask("sql:delete")).code is Code.FORBIDDEN


def test_a_forbid_that_ignores_approval_denies_although_it_says_hold() -> None:
    always = '@id("always") @hold("dba:1") forbid (principal, action in Action::"sql:write", resource);'
    assert engine(WRITES, always).decide(ask("sql:delete")).code is Code.FORBIDDEN


def test_a_forbid_that_wakes_up_with_the_approval_denies() -> None:
    trap = '@id("trap") forbid (principal, action, resource) when { context has approval };'
    decision = engine(WRITES, HELD, trap).decide(ask("sql:delete"))
    assert decision.verdict is Verdict.DENY


def test_several_holds_join_their_requirements_and_take_the_shortest_time() -> None:
    other = """
    @id("customers") @hold("dba:1, privacy:1") @ttl("5m")
    forbid (principal, action, resource) when { context has tables && context.tables.contains("public.customers") }
    unless { context has approval };
    """
    decision = engine(WRITES, HELD, other).decide(ask("sql:delete", tables=frozenset({"public.customers"})))
    assert decision.requirement == Requirement({"dba": 2, "security": 1, "privacy": 1})
    assert decision.ttl == timedelta(minutes=5)


def test_the_strictest_of_several_verbs_wins() -> None:
    decide = engine(READS, WRITES, HELD).decide
    assert decide(ask("sql:select", "sql:delete")).verdict is Verdict.HOLD
    assert decide(ask("sql:select", "sql:delete", "sql:ddl")).verdict is Verdict.DENY


def test_a_tag_is_unmasked_only_where_every_permit_unmasks_it() -> None:
    both = '@id("both") @unmask("email, phone") permit (principal, action == Action::"sql:select", resource);'
    mail = '@id("mail") @unmask("email") permit (principal, action == Action::"sql:select", resource);'
    none = '@id("none") permit (principal, action == Action::"sql:select", resource);'
    assert engine(both).decide(ask("sql:select")).unmask == {"email", "phone"}
    assert engine(both, mail).decide(ask("sql:select")).unmask == {"email"}
    assert engine(both, mail, none).decide(ask("sql:select")).unmask == frozenset()


def test_a_write_beside_a_read_unmasks_only_what_both_unmask() -> None:
    read = '@id("read") @unmask("email") permit (principal, action == Action::"sql:select", resource);'
    assert engine(read, WRITES).decide(ask("sql:select", "sql:insert")).unmask == frozenset()
    assert engine(read, WRITES).decide(ask("sql:select", "sql:session")).unmask == {"email"}


def test_the_smallest_limit_counts() -> None:
    few = '@id("few") @limit("10") permit (principal, action == Action::"sql:select", resource);'
    many = '@id("many") @limit("1000") permit (principal, action == Action::"sql:select", resource);'
    assert engine(few, many, READS).decide(ask("sql:select")).limit == 10
    assert engine(READS).decide(ask("sql:select")).limit is None


def test_arranging_a_session_goes_with_any_permit_at_the_resource() -> None:
    decide = engine(READS).decide
    assert decide(ask("sql:session")).verdict is Verdict.ALLOW
    assert decide(ask("sql:session", agent="report.staging")).code is Code.NO_MATCH


def test_a_forbid_reaches_session_statements_too() -> None:
    bearer = '@id("bearer") forbid (principal, action, resource) when { context has credential && context.credential == "bearer" };'
    assert engine(READS, bearer).decide(ask("sql:session", credential="bearer")).code is Code.FORBIDDEN


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ask(), Code.NOTHING_ASKED),
        (ask("sql:guess"), Code.UNKNOWN_VERB),
        (ask("sql:read"), Code.UNKNOWN_VERB),
        (ask("sql:select", agent="nobody"), Code.UNKNOWN_AGENT),
        (ask("sql:select", resource="nowhere"), Code.UNKNOWN_RESOURCE),
        (ask("sql:select", approval=True), Code.RESERVED_CONTEXT),
        (ask("sql:select", time=3), Code.RESERVED_CONTEXT),
        (ask("sql:select", risk=0), Code.RESERVED_CONTEXT),
        (ask("sql:select", session="x"), Code.RESERVED_CONTEXT),
        (ask("sql:select", colour="red"), Code.MALFORMED_REQUEST),
        (ask("sql:select", where=1), Code.MALFORMED_REQUEST),
        (ask("sql:select", tables={"public.t", 3}), Code.MALFORMED_REQUEST),
        (ask("sql:select", tables=object()), Code.MALFORMED_REQUEST),
        (ask("sql:select", claimed={"approval": "yes"}), Code.MALFORMED_REQUEST),
        (ask("sql:select", claimed={"__entity": "Agent"}), Code.MALFORMED_REQUEST),
        (ask("sql:select", columns=frozenset(map(str, range(5_000)))), Code.OVERSIZED_CONTEXT),
        (ask("sql:select", purpose="x" * 300_000), Code.OVERSIZED_CONTEXT),
        (Ask(AGENT, frozenset({"sql:select"}), "shop", None), Code.MALFORMED_REQUEST),  # type: ignore[arg-type]  # on purpose
        (Ask(AGENT, ["sql:select"], "shop", {}), Code.MALFORMED_REQUEST),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_what_cannot_be_answered_is_denied_with_its_own_code(asked: Ask, code: Code) -> None:
    decision = engine('@id("all") permit (principal, action, resource);').decide(asked)
    assert (decision.verdict, decision.code) == (Verdict.DENY, code)
    assert decision.why.endswith(".")


def test_a_policy_that_errors_denies_even_beside_a_permit() -> None:
    """Cedar skips a forbid that errors: overflow passes validation and fails when it runs."""
    broken = '@id("broken") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };'
    decision = engine(READS, broken).decide(ask("sql:select"))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.EVALUATION_ERROR)
    assert "`broken`" in decision.why


def test_an_error_in_the_probe_denies_too() -> None:
    broken = '@id("broken") forbid (principal, action, resource) when { context has approval && 9223372036854775807 + 1 > 0 };'
    assert engine(WRITES, HELD, broken).decide(ask("sql:delete")).code is Code.EVALUATION_ERROR


def test_no_policies_and_a_closed_engine_deny() -> None:
    assert engine("").decide(ask("sql:select")).code is Code.NO_POLICIES
    closed = Engine.closed("Nothing is active.").decide(ask("sql:select"))
    assert (closed.verdict, closed.code, closed.why) == (Verdict.DENY, Code.NO_POLICIES, "Nothing is active.")


def test_a_failure_inside_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of luck")

    broken = engine(READS)
    monkeypatch.setattr("policies.cedar.cedarpy.is_authorized", fails)
    decision = broken.decide(ask("sql:select"))
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.ENGINE_ERROR)
    monkeypatch.undo()
    assert broken.decide(ask("sql:select")).verdict is Verdict.ALLOW  # a failure is not remembered


def test_a_name_with_cedar_in_it_is_only_a_name() -> None:
    assert engine(READS).decide(ask("sql:select", agent='x" || true')).code is Code.UNKNOWN_AGENT
    odd = World.of([AgentFacts('x" || true', "support", "production", "production")], WORLD.resources.values())
    assert Engine.build(READS, odd, version=1).decide(ask("sql:select", agent='x" || true')).verdict is Verdict.ALLOW


def test_a_remembered_decision_is_never_that_of_another_request() -> None:
    only = '@id("only") permit (principal, action == Action::"sql:select", resource) when { context has where && context.where };'
    decide = engine(only).decide
    assert decide(ask("sql:select", where=True)).verdict is Verdict.ALLOW
    assert decide(ask("sql:select", where=1)).verdict is Verdict.DENY
    assert decide(ask("sql:select", where=False)).verdict is Verdict.DENY
    assert decide(ask("sql:select")).verdict is Verdict.DENY


def test_the_same_world_and_policies_have_the_same_snapshot() -> None:
    assert engine(READS).decide(ask("sql:select")) == engine(READS).decide(ask("sql:select"))
    assert engine(READS).snapshot != engine(READS, WRITES).snapshot


GRAVE = HELD.replace('@id("held")', '@id("grave") @severity("high") @breakglass("oncall, security")')
GRAVER = HELD.replace('@id("held")', '@id("graver") @severity("critical") @breakglass("security, dba")')
MILD = HELD.replace('@id("held")', '@id("mild") @severity("low")')


@pytest.mark.parametrize(
    ("policies", "severity", "breakglass"),
    [
        ([HELD], "", ()),
        ([GRAVE], "high", ("oncall", "security")),
        ([GRAVE, GRAVER], "critical", ("security",)),
        ([GRAVE, MILD], "high", ()),
        ([GRAVE, HELD], "high", ()),
    ],
)
def test_a_hold_is_as_grave_as_its_gravest_policy_and_all_must_let_the_glass_be_broken(
    policies: list[str], severity: str, breakglass: tuple[str, ...]
) -> None:
    decision = engine(WRITES, *policies).decide(ask("sql:delete"))
    assert (decision.verdict, decision.severity, decision.breakglass) == (Verdict.HOLD, severity, frozenset(breakglass))
    both = engine(WRITES, READS, *policies).decide(ask("sql:delete", "sql:select"))
    assert (both.severity, both.breakglass) == (severity, frozenset(breakglass))


def test_one_policy_that_asks_for_a_passkey_is_enough() -> None:
    signed = HELD.replace('@id("held")', '@id("signed") @passkey("required")')
    decide = engine(WRITES, READS, HELD, signed).decide
    assert decide(ask("sql:delete")).passkey
    assert decide(ask("sql:delete", "sql:select")).passkey
    assert not decide(ask("sql:select")).passkey
    assert not engine(WRITES, HELD).decide(ask("sql:delete")).passkey


def test_an_escalation_is_one_that_every_hold_names_at_the_latest_time() -> None:
    def held(name: str, note: str) -> str:
        return HELD.replace('@id("held")', f'@id("{name}") {note}')

    soon, late = held("soon", '@escalate("oncall after 5m")'), held("late", '@escalate("oncall after 10m")')
    other = held("other", '@escalate("security after 5m")')

    def decide(*policies: str) -> Escalation | None:
        return engine(WRITES, READS, *policies).decide(ask("sql:delete", "sql:select")).escalate

    assert decide(soon, late) == Escalation("oncall", timedelta(minutes=10))
    assert (decide(soon, other), decide(soon, HELD)) == (None, None)


def test_a_denial_is_grave_and_nobody_breaks_its_glass() -> None:
    never = '@id("never") @severity("critical") forbid (principal, action == Action::"sql:ddl", resource);'
    decision = engine(WRITES, GRAVE, never).decide(ask("sql:delete", "sql:ddl"))
    assert (decision.verdict, decision.severity, decision.breakglass) == (Verdict.DENY, "critical", frozenset())
    assert engine(READS, GRAVE).decide(ask("sql:select")).severity == ""


def test_the_freshest_proof_that_anybody_asks_for_counts() -> None:
    lax = '@id("lax") @proof("5m") permit (principal, action == Action::"sql:delete", resource);'
    held = HELD.replace('@id("held")', '@id("held") @proof("90s")')
    decide = engine(lax, WRITES, READS, held).decide
    assert decide(ask("sql:delete")).proof == timedelta(seconds=90)
    assert engine(lax, WRITES, HELD).decide(ask("sql:delete")).proof == timedelta(minutes=5)
    assert decide(ask("sql:select")).proof is None


@pytest.mark.parametrize("verdict", Verdict)
def test_one_verb_is_obliged_to_as_much_as_two(verdict: Verdict) -> None:
    """Every term of an answer: one that is forgotten on the short way would not be asked for."""
    terms: dict[str, Any] = {
        "verdict": verdict, "code": Code.PERMITTED, "why": "Why.", "reasons": (Reason("a", "Why.", "permit"),),
        "requirement": Requirement({"dba": 2}), "ttl": timedelta(minutes=3), "unmask": frozenset({"email"}), "limit": 7,
        "proof": timedelta(seconds=60), "severity": "high", "breakglass": frozenset({"oncall"}),
        "passkey": True,
        "escalate": Escalation("oncall", timedelta(minutes=5)),
    }  # fmt: skip
    assert terms.keys() == {field.name for field in fields(Ruling)}
    ruling = Ruling(**terms)
    assert combine([ruling], version=3, snapshot="x") == combine([ruling, ruling], version=3, snapshot="x")
