"""A small world that the tests of policies decide in."""

import pgtrigger

from policies.evaluate import Ask, Engine
from policies.models import PolicyVersion
from policies.world import AgentFacts, ResourceFacts, World

AGENT = "support.production.01"
SECRET = bytes(32)

WORLD = World.of(
    [
        AgentFacts(AGENT, "support", "production", "production", "Answers customers"),
        AgentFacts("report.staging", "report", "staging", "staging"),
    ],
    [ResourceFacts("shop", "postgres", "production"), ResourceFacts("attic", "postgres", "staging")],
)

READS = '@id("reads") permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop");'
WRITES = '@id("writes") permit (principal in Function::"support", action in Action::"sql:write", resource == Resource::"shop");'
HELD = """
@id("held") @hold("dba:2, security:1") @ttl("15m") @why("Writes to production need three people.")
forbid (principal, action in Action::"sql:write", resource in Segment::"production")
unless { context has approval };
"""


def engine(*policies: str) -> Engine:
    """An engine of `policies` over the world, at version 7."""
    return Engine.build("\n".join(policies), WORLD, version=7)


def ask(*verbs: str, agent: str = AGENT, resource: str = "shop", **context: object) -> Ask:
    """What the support agent asks of the shop."""
    return Ask(agent, frozenset(verbs), resource, context)


def changed(version: PolicyVersion, **fields: object) -> None:
    """Change a version as whoever owns the database can, past its fence."""
    with pgtrigger.ignore("policies.PolicyVersion:versions_are_final"):
        PolicyVersion.objects.filter(id=version.id).update(**fields)
