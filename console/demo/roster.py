"""Who is in the demo: its people, segments, agents, tags."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Role
from accounts.scopes import AGENTS_WRITE, EXPORT, INCIDENTS_WRITE, PEOPLE_WRITE, POLICIES_WRITE, READ, REVIEW


@dataclass(frozen=True)
class Person:
    """Somebody with an account. The outsider has no role, and must be refused everywhere."""

    username: str
    name: str
    role: Role | None
    groups: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The role as `demo.json` says it."""
        return self.role.value if self.role else "outsider"

    @property
    def scopes(self) -> list[str]:
        """What their API token is for."""
        return [READ, *SCOPES_OF.get(self.title, [])]


SCOPES_OF = {
    "reviewer": [REVIEW],
    "auditor": [EXPORT],
    "owner": [AGENTS_WRITE],
    "engineer": [AGENTS_WRITE, POLICIES_WRITE],
    "ciso": [EXPORT, AGENTS_WRITE, POLICIES_WRITE, INCIDENTS_WRITE],
    "administrator": [AGENTS_WRITE, POLICIES_WRITE, PEOPLE_WRITE],
}

PEOPLE = (
    Person("ada", "Ada Lindqvist", Role.ADMINISTRATOR),
    Person("anders", "Anders Holm", Role.ADMINISTRATOR),
    Person("erik", "Erik Nowak", Role.ENGINEER),
    Person("maya", "Maya Okafor", Role.REVIEWER, ("dba",)),
    Person("jonas", "Jonas Weber", Role.REVIEWER, ("dba",)),
    Person("priya", "Priya Raman", Role.REVIEWER, ("security",)),
    Person("omar", "Omar Haddad", Role.OWNER),
    Person("lena", "Lena Fischer", Role.OWNER),
    Person("claire", "Claire Dubois", Role.CISO),
    Person("arthur", "Arthur Kim", Role.AUDITOR),
    Person("otto", "Otto Brandt", None),
)
REVIEWS = {"dba": ("production",), "security": ("production", "customer-care", "payments")}
"""Each group, and the segments whose holds it may answer."""
GROUPS = tuple(REVIEWS)

SEGMENTS = {
    "production": "The shop's database and the agents that keep it running",
    "customer-care": "Agents that talk with customers",
    "payments": "Agents that touch money",
    "analytics": "Agents that count and report",
}


@dataclass(frozen=True)
class AgentPlan:
    """An agent to enrol, and what kind of key it holds."""

    name: str
    segment: str
    owner: str
    purpose: str
    deputy: str = ""
    algorithm: str = "ES256"


AGENTS = (
    AgentPlan("support.production.01", "customer-care", "omar", "Answers customers about their orders", "lena"),
    AgentPlan("support.production.02", "customer-care", "omar", "Answers customers at night", "lena", "Ed25519"),
    AgentPlan("refunds.production", "payments", "lena", "Books refunds that support has promised", "omar"),
    AgentPlan("billing.production", "payments", "lena", "Reconciles payments with the bank every hour"),
    AgentPlan("fraud-watch.production", "payments", "lena", "Looks for orders that look like fraud", "", "Ed25519"),
    AgentPlan("warehouse.production", "production", "omar", "Moves paid orders to the warehouse"),
    AgentPlan("cleanup.production", "production", "omar", "Removes orders that were abandoned", "lena"),
    AgentPlan("reports.production", "analytics", "lena", "Adds up yesterday's sales", "", "Ed25519"),
    AgentPlan("reports.staging", "analytics", "lena", "Tries next month's reports out"),
)

TAGS = (  # table, column, tag, whether it may be looked up by
    ("customers", "full_name", "name", False),
    ("customers", "email", "email", True),
    ("customers", "card_number", "card_number", False),
    ("customers", "ssn", "ssn", False),
)


@dataclass(frozen=True)
class Example:
    """A statement that anyone can type, and what the gate does with it."""

    agent: str
    statement: str
    expect: str


EXAMPLES = (
    Example("support.production.01", "SELECT count(*) FROM orders", "allow"),
    Example("support.production.01", "SELECT full_name, email, card_number, ssn FROM customers LIMIT 3", "mask"),
    Example("cleanup.production", "DELETE FROM order_items WHERE order_id = 22", "hold"),
    Example("refunds.production", "UPDATE payments SET status = 'refunded' WHERE order_id = 12", "hold"),
    Example("support.production.01", "SELECT email FROM customers WHERE ssn LIKE '12%'", "deny"),
    Example("cleanup.production", "DELETE FROM orders", "deny"),
    Example("warehouse.production", "DROP TABLE payments", "deny"),
    Example("reports.staging", "SELECT count(*) FROM orders", "deny"),
)
