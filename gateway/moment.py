"""Step 3's question, completed: what differs from one action to the next, said only where a policy that can match looks at it.

The gate knows all of it without asking its database. The planner's figure is the resource's, and costs a connection there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from gateway.action import Action, Caller, Moment
from gateway.refusal import Refusal
from policies.arguments import COUNT, NAME, readable
from policies.moment import network_text, time_text
from policies.parts import TAGGED

PLANNED: Final = frozenset({"sql:select", "sql:insert", "sql:update", "sql:delete", "sql:merge"})
"""Verbs that a planner can say something of."""
A_MINUTE: Final = 60
"""Seconds to which the age of a credential is told."""


class Counted(Protocol):
    """An adapter's side."""

    async def so_far(self) -> tuple[int, int]:
        """Rows and bytes that the session's actions returned before this one."""
        ...

    async def planned(self) -> int | None:
        """The rows that the resource's planner expects the action to touch; None where it cannot say."""
        ...


async def moment(
    wanted: frozenset[str],
    caller: Caller,
    action: Action,
    party: Counted,
    risks: Mapping[str, int],
    *,
    arguments: frozenset[str] | None = None,
) -> Moment:
    """What `wanted` names, as it is now; of the action's arguments those named. Raises Refusal where a policy looks at what nobody can say."""
    context: dict[str, object] = {}
    ours: dict[str, object] = {}
    if "source" in wanted and caller.source:
        context["source"] = network_text(caller.source)
    if "credential_age" in wanted:
        context["credential_age"] = _age(caller)
    if NAME in wanted and not (action.operation or action.each):
        context[NAME] = readable(action.bound(arguments)) if action.bound is not None else {COUNT: 0}
    if TAGGED in wanted:
        context[TAGGED] = action.tagged
    if "rows_estimated" in wanted and action.verbs & PLANNED:
        context["rows_estimated"] = await _planned(party)
    if "time" in wanted:
        ours["time"] = time_text(datetime.now(UTC))
    if "risk" in wanted:
        ours["risk"] = risks.get(caller.agent, 0)
    if "session" in wanted:
        rows, size = await party.so_far()
        ours["session"] = {"actions": action.number - 1, "rows": rows, "bytes": size}
    return Moment(context, ours)


def _age(caller: Caller) -> int:
    """How old the credential is, in whole minutes. A clock that was set back would make every one fresh: it is not believed."""
    age = int(time.time() - caller.issued)
    if age < -A_MINUTE:
        raise Refusal(
            "A policy looks at how old the credential is, and by the gate's clock it is not issued yet.",
            code="clock",
            remedy="A platform engineer sets the clock of the gate's machine.",
        )
    return max(0, age) // A_MINUTE * A_MINUTE


async def _planned(party: Counted) -> int:
    rows = await party.planned()
    if rows is None:
        raise Refusal(
            "A policy looks at how many rows it would touch, and the resource's planner cannot say.",
            code="rows_unknown",
            remedy="Ask for it as one plain statement, without calls of functions; or the policy has to leave it out.",
        )
    return rows
