"""How long a trial of a version takes on what happened, for bench/policy.py: in an embedded PostgreSQL, as the task makes it.

Once with actions of which many ask the same, as of agents at their work; once with a question for each, as where a policy looks at
what differs from one to the next.

    python bench/policy_trial.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from accounts.models import User

ACTIONS, QUICK_ACTIONS = 100_000, 5_000
ALIKE = 50
"""Actions that ask the same, where many do."""
AGENTS, RESOURCES, BATCH = 200, 20, 5_000
VERBS = ("sql:select", "sql:insert", "sql:update", "sql:delete")
BEFORE = """
@id("reads") permit (principal, action in Action::"sql:read", resource);
@id("writes") permit (principal, action in Action::"sql:write", resource);
"""
AFTER = f"""{BEFORE}
@id("deletes-wait") @hold("dba:1") forbid (principal, action == Action::"sql:delete", resource) unless {{ context has approval }};
@id("no-parts") forbid (principal, action in Action::"sql:write", resource in Schema::"r7/public");
@id("purposes") forbid (principal, action in Action::"sql:read", resource) when {{ context has purpose && context.purpose like "*13" }};
"""


@contextmanager
def deployment(folder: Path) -> Iterator[User]:
    """Django at a new database; an engineer, and a version in force."""
    from bench.ledger_world import point_at
    from console import database, embedded

    cluster = embedded.start(folder, "main", durable=False)
    try:
        logins = database.prepare(cluster, {role: secrets.token_urlsafe(16) for role in database.ROLES})
        point_at(folder, logins, "console.settings")
        logging.disable(logging.CRITICAL)
        database.migrate(logins.owner)
        yield _engineer()
    finally:
        cluster.stop()
        embedded.destroy(folder, "main")


def _engineer() -> User:
    from django.contrib.auth.models import Group

    from accounts import actions as accounts
    from accounts.models import Role
    from ledger.entries import Actor
    from policies import actions

    system = Actor(kind="system", id="bench", name="bench")
    engineer = accounts.invite("engineer", email="e@example.com", name="E", roles=[Role.ENGINEER], actor=system)
    Group.objects.create(name="dba")
    actions.install(BEFORE, actor=engineer)
    return engineer


def happen(actions: int, questions: int) -> None:
    """Actions of the last day, spread over questions, as the gateway keeps them."""
    from activity.models import Action, Question

    Action.objects.all().delete()
    Question.objects.all().delete()
    names = list(_asked(questions))
    at, ids = datetime.now(UTC) - timedelta(hours=3), [uuid4() for _ in range(4)]
    for begin in range(0, actions, BATCH):
        Action.objects.bulk_create(
            Action(
                session_id=ids[0], node_id=ids[1], agent_id=ids[2], resource_id=ids[3], credential_id=ids[0], number=one + 1,
                verb=VERBS[one % questions % len(VERBS)], shown="", digest="", salt=b"", decision="allow", status="done",
                asked_at=at, question_id=names[one % questions],
            )
            for one in range(begin, min(begin + BATCH, actions))
        )  # fmt: skip


def _asked(questions: int) -> Iterator[UUID]:
    """Keep that many questions; gives their identifiers."""
    from activity.models import Question
    from policies.decision import Ask
    from policies.question import question_of
    from policies.world import AgentFacts, ResourceFacts

    for begin in range(0, questions, BATCH):
        kept = []
        for one in range(begin, min(begin + BATCH, questions)):
            agent = AgentFacts(f"a{one % AGENTS}.production", "work", "production", "production")
            resource = ResourceFacts(f"r{one % RESOURCES}", "postgres", "production")
            said = {"tables": frozenset({f"public.t{one % 40}"}), "purpose": f"Purpose {one}", "where": True}
            ask = Ask(agent.name, frozenset({VERBS[one % len(VERBS)]}), resource.name, said)
            kept.append(question_of(ask, agent, resource, bytes(32)))
        Question.objects.bulk_create(Question(id=one.id, text=one.text) for one in kept)
        yield from (UUID(one.id) for one in kept)


def seconds(engineer: User) -> float:
    """Try the version after the one in force on the last day, and wait. Raises SystemExit where it is not as it must be."""
    from policies import actions, trial_actions, trying
    from policies.models import PolicyVersion

    draft = PolicyVersion.objects.filter(status="draft").first() or actions.draft(AFTER, actor=engineer)
    trial = trial_actions.ask(draft.number, period="1d", actor=engineer)
    began = time.perf_counter()
    trying.make_unfinished()
    took = time.perf_counter() - began
    trial.refresh_from_db()
    if trial.status != trial.Status.READY or not trying.counted(trial.found or {}):
        raise SystemExit(f"The trial is {trial.status}: {trial.why}")
    return took


def main() -> None:
    """Measure, and print seconds by case as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer actions")
    size = QUICK_ACTIONS if parser.parse_args().quick else ACTIONS
    found = {}
    with tempfile.TemporaryDirectory(prefix="narrowgate-bench-") as folder, deployment(Path(folder)) as engineer:
        for case, questions in (
            (f"{size} past actions, {ALIKE} alike", size // ALIKE),
            (f"{size} past actions, none alike", size),
        ):
            happen(size, questions)
            found[case] = seconds(engineer)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
