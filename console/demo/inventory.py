"""The demo's people, segments, resource, agents and policies, made by the same actions that pages call."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import Group
from django.db import transaction

from accounts import actions as people
from accounts.actors import SYSTEM
from accounts.models import User
from agents import actions, keys
from agents.models import Agent, Resource, ResourceSecret, Segment
from agents.vault import open_secret
from console.demo import neighbours
from console.demo.roster import AGENTS, GROUPS, PEOPLE, REVIEWS, SEGMENTS, TAGS, AgentPlan
from console.demo.secrets_kept import Kept
from console.demo.shop import DATABASE, GATE, READER
from core.db import db_now
from core.errors import NarrowgateError
from core.files import create_private
from policies import actions as policies
from policies.models import PolicyVersion

POLICIES = Path(__file__).with_name("policies")
SHOP = "shop"
TOKEN_LIFE = timedelta(days=90)
TOKEN_RENEWAL = timedelta(days=30)


def ensure(state: Path, kept: Kept, sockets: Path) -> None:
    """Make the demo's inventory where it is missing, and bring the shop's address and logins up to date."""
    if not User.objects.exists():
        with transaction.atomic():
            _make_people(kept)
            _make_perimeters(sockets, kept)
            neighbours.make(kept)
            _make_agents(state)
            _keep_production()
    engineer = User.objects.get(username="erik")
    _refresh_shop(engineer, sockets, kept)
    neighbours.ensure(kept)
    if not PolicyVersion.objects.exists():
        policies.install(policy_text(), tests=demo_cases(), actor=engineer, note="The demo's policies.")
    _refresh_tokens(state, kept)


def policy_text() -> str:
    """All policy files, one after another, in the order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.cedar")))


def demo_cases() -> str:
    """What the policies must answer."""
    return "---\n".join(path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.test.yaml")))


def key_file(state: Path, agent: str) -> Path:
    """Where an agent's private key is kept, for whoever plays the agent."""
    return state / "agents" / f"{agent}.jwk"


def _make_people(kept: Kept) -> None:
    for person in PEOPLE:
        people.invite(
            person.username,
            email=f"{person.username}@example.com",
            name=person.name,
            roles=[person.role] if person.role else [],
            password=kept.passwords[person.username],
            actor=SYSTEM,
        )
    administrator = User.objects.get(username="ada")
    groups = {name: people.create_group(name, actor=administrator) for name in GROUPS}
    for person in PEOPLE:
        for name in person.groups:
            people.add_member(User.objects.get(username=person.username), groups[name], actor=administrator)


def _make_perimeters(sockets: Path, kept: Kept) -> None:
    engineer, administrator = User.objects.get(username="erik"), User.objects.get(username="ada")
    segments = {
        name: actions.create_segment(name, purpose=purpose, actor=engineer) for name, purpose in SEGMENTS.items()
    }
    for group in Group.objects.filter(name__in=GROUPS):
        for name in REVIEWS[group.name]:
            actions.let_review(group, segments[name], actor=administrator)
    shop = actions.add_resource(
        SHOP,
        segment=segments["production"],
        purpose="Customers, orders and payments of the shop",
        owner=User.objects.get(username="omar"),
        actor=engineer,
        host=str(sockets),
        database=DATABASE,
        tls="off",
    )
    _store_logins(shop, kept, engineer)
    for table, column, tag, lookup in TAGS:
        actions.confirm_tag(shop.id, table=table, column=column, tag=tag, lookup=lookup, actor=engineer)


def _store_logins(shop: Resource, kept: Kept, engineer: User) -> None:
    """Store the shop's two logins, where the vault does not hold them as they are."""
    logins = kept.shop_logins
    uses = ((ResourceSecret.Use.ACTIONS, GATE, logins.gate), (ResourceSecret.Use.READING, READER, logins.reader))
    for use, user, password in uses:
        if not _holds(shop, use, password):
            actions.store_secret(shop.id, user=user, password=password, use=use, actor=engineer)


def _holds(shop: Resource, use: str, password: str) -> bool:
    try:
        return open_secret(shop, use).password == password
    except NarrowgateError:
        return False


def _make_agents(state: Path) -> None:
    for plan in AGENTS:
        _enrol(plan, state)


def _keep_production() -> None:
    """From now on a second person activates what is enrolled where the shop is."""
    segment, engineer = Segment.objects.get(name="production"), User.objects.get(username="erik")
    actions.change_segment(segment.id, production=True, actor=engineer)


def _enrol(plan: AgentPlan, state: Path) -> Agent:
    path = key_file(state, plan.name)
    if not path.exists():
        made = keys.generate(plan.algorithm)
        create_private(path, json.dumps(made.as_dict(private=True)).encode())
    key = keys.private_key(json.loads(path.read_text(encoding="utf-8")))
    return actions.enrol(
        plan.name,
        purpose=plan.purpose,
        segment=Segment.objects.get(name=plan.segment),
        owner=User.objects.get(username=plan.owner),
        deputy=User.objects.get(username=plan.deputy) if plan.deputy else None,
        public_jwk=keys.public_jwk(key),
        actor=User.objects.get(username="erik"),
    )


def _refresh_shop(engineer: User, sockets: Path, kept: Kept) -> None:
    """A state folder that was moved has its shop's socket elsewhere."""
    shop = Resource.objects.get(name=SHOP)
    actions.change_resource(shop.id, actor=engineer, host=str(sockets))
    _store_logins(shop, kept, engineer)


def _refresh_tokens(state: Path, kept: Kept) -> None:
    """Give everybody an API token, and another before it ends."""
    now = db_now()
    if kept.tokens_end and datetime.fromisoformat(kept.tokens_end) - now > TOKEN_RENEWAL:
        return
    for person in PEOPLE:
        user = User.objects.get(username=person.username)
        _, secret = people.create_api_token(user, name="demo", scopes=person.scopes, lifetime=TOKEN_LIFE, actor=user)
        kept.tokens[person.username] = secret
    kept.tokens_end = (now + TOKEN_LIFE).isoformat()
    kept.save(state)
