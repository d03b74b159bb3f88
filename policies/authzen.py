"""Pure: requests and answers of OpenID AuthZEN, Authorization API 1.0 (https://openid.net/specs/authorization-api-1_0.html).

A subject is an agent, a resource one behind the gate, an action a verb of policies (`sql:select`). Of the context only what a
caller can know counts; what the gate alone may say is refused, and what policies cannot read is left out.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Invalid
from policies.arguments import NAME, readable
from policies.context import CEDAR_TYPES, OURS
from policies.decision import Ask, Decision, Verdict
from policies.world import World

SUBJECT: Final = "agent"
RESOURCE: Final = "resource"
OURS_ALONE: Final = OURS | {
    "environment",
    "purpose",
    "credential",
    "credential_age",
    "on_behalf_of",
    "rows_estimated",
    "source",
}
"""What the gate knows or decides itself: the registry's facts, the credential and its connection, approval, time."""
MOST_EVALUATIONS: Final = 100
A_PAGE: Final = 50
MOST_A_PAGE: Final = 200
MOST_LOOKED_AT: Final = 2_000
"""Decisions that one page of a search may take; a page that found less says where to go on."""
EXECUTE_ALL, DENY_FIRST, PERMIT_FIRST = "execute_all", "deny_on_first_deny", "permit_on_first_permit"
SEMANTICS: Final = (EXECUTE_ALL, DENY_FIRST, PERMIT_FIRST)


@dataclass(frozen=True)
class Page:
    """Which page of a search: after which name, and how many at most."""

    after: str
    limit: int


def ask_of(said: Mapping[str, Any], world: World, *, subject: str = "", resource: str = "", action: str = "") -> Ask:
    """What one evaluation asks; a search gives the part that it looks for. Raises Invalid, naming the member."""
    agent = subject or _entity(said, "subject", SUBJECT)
    target = resource or _entity(said, "resource", RESOURCE)
    verb = action or _name(said)
    context = _context(said)
    facts = world.agents.get(agent)
    if facts is not None:
        context |= {"environment": facts.environment, "purpose": facts.purpose}
    return Ask(agent, frozenset({verb}), target, context)


def typed(said: Mapping[str, Any], member: str) -> None:
    """See that a member whose id is searched for has a type that there is. Raises Invalid."""
    _type(_object(said, member), member, SUBJECT if member == "subject" else RESOURCE)


def evaluations_of(said: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str]:
    """The evaluations of a request, each with its defaults filled in, and their semantic. Raises Invalid.

    Without `evaluations`, or with none, the request is one evaluation itself (section 7.1).
    """
    options = said.get("options", {})
    if not isinstance(options, dict):
        raise Invalid("options", "options is an object.")
    semantic = options.get("evaluations_semantic", EXECUTE_ALL)
    if semantic not in SEMANTICS:
        raise Invalid("options", f"evaluations_semantic is one of {', '.join(SEMANTICS)}.")
    many = said.get("evaluations")
    if many is None or many == []:
        return [], semantic
    if not isinstance(many, list) or len(many) > MOST_EVALUATIONS or not all(isinstance(one, dict) for one in many):
        raise Invalid("evaluations", f"evaluations is a list of at most {MOST_EVALUATIONS} objects.")
    defaults = {name: said[name] for name in ("subject", "action", "resource", "context") if name in said}
    return [{**defaults, **one} for one in many], semantic


def ends(semantic: str, decision: bool) -> bool:
    """Whether nothing after such a decision is evaluated (section 7.1.2.1)."""
    return semantic == (PERMIT_FIRST if decision else DENY_FIRST)


def answer(decision: Decision) -> dict[str, Any]:
    """The response to one evaluation. A hold is no permission: its context says who would have to approve."""
    context: dict[str, Any] = {
        "verdict": decision.verdict.value,
        "code": decision.code.value,
        "reason": decision.why,
        "policies": list(decision.policies),
        "policy_version": decision.policy_version,
        "unmask": sorted(decision.unmask),
    }
    if decision.requirement is not None:
        context["requirement"] = str(decision.requirement)
    if decision.limit is not None:
        context["limit"] = decision.limit
    if decision.proof is not None:
        context["proof_within"] = int(decision.proof.total_seconds())
    if decision.severity:
        context["severity"] = decision.severity
    if decision.breakglass:
        context["breakglass"] = sorted(decision.breakglass)
    if decision.escalate is not None:
        context["escalate"] = str(decision.escalate)
    if decision.passkey:
        context["passkey"] = True
    return {"decision": decision.verdict is Verdict.ALLOW, "context": context}


def refusal(error: Invalid) -> dict[str, Any]:
    """The response to an evaluation among several that cannot be read (section 7.2.1)."""
    return {"decision": False, "context": {"error": {"status": 400, "message": str(error)}}}


def page_of(said: Mapping[str, Any]) -> Page:
    """Which page is asked for. Raises Invalid."""
    page = {} if said.get("page") is None else said["page"]
    if not isinstance(page, dict):
        raise Invalid("page", "page is an object.")
    limit, token = page.get("limit", A_PAGE), page.get("token", "")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1 or not isinstance(token, str):
        raise Invalid("page", "page has a token, as an answer gave it, and a limit from 1.")
    try:
        after = b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (NotBase64, ValueError):
        raise Invalid("page", "That token is none of ours.", "Give next_token as the last answer had it.") from None
    return Page(after, min(limit, MOST_A_PAGE))


def found(results: list[dict[str, str]], after: str) -> dict[str, Any]:
    """The response to a search; `after` is the last name looked at, empty where nothing is left."""
    token = urlsafe_b64encode(after.encode()).decode()
    return {"results": results, "page": {"next_token": token, "count": len(results)}}


def metadata(base: str) -> dict[str, str]:
    """What `/.well-known/authzen-configuration` says (section 9)."""
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }


def _object(said: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    found = said.get(member)
    if not isinstance(found, dict):
        raise Invalid(member, f"{member} is missing, or no object.")
    return found


def _type(entity: Mapping[str, Any], member: str, known: str) -> None:
    if entity.get("type") != known:
        raise Invalid(f"{member}.type", f"{member} has the type {known}, no other.")


def _entity(said: Mapping[str, Any], member: str, known: str) -> str:
    entity = _object(said, member)
    _type(entity, member, known)
    return _text(entity, f"{member}.id", "id")


def _name(said: Mapping[str, Any]) -> str:
    return _text(_object(said, "action"), "action.name", "name")


def _text(entity: Mapping[str, Any], what: str, name: str) -> str:
    value = entity.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(what, f"{what} is a text.")
    return value


def _context(said: Mapping[str, Any]) -> dict[str, object]:
    context = said.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Invalid("context", "context is an object.")
    ours = sorted(OURS_ALONE & context.keys())
    if ours:
        raise Invalid(f"context.{ours[0]}", f"{ours[0]} is the gate's alone to say.", "Leave it out.")
    return dict(_readable(context))


def _readable(context: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in context.items():
        if name == NAME and isinstance(value, dict):
            yield name, readable(value)
        elif name in CEDAR_TYPES:
            yield (
                name,
                frozenset(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value,
            )
