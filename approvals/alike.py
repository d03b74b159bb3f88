"""Holds that ask alike: the same agent, resource, kind of action and policies, so that they can be decided together. Pure; takes models."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from approvals.models import Hold

T = TypeVar("T")


def key_of(hold: Hold) -> Hashable:
    """Equal for holds that ask alike; nothing is like one that has no shape."""
    if not hold.shape:
        return hold.id
    policies = tuple((str(one["policy"]), str(one["why"])) for one in hold.reasons)
    return (
        hold.agent_id, hold.resource_id, hold.on_behalf_of_id, hold.verb, hold.shape, tuple(hold.tables), tuple(hold.tags),
        hold.has_where, hold.in_transaction, hold.enforced, hold.severity, hold.passkey, hold.needs, policies, hold.policy_version,
    )  # fmt: skip


def grouped(found: Iterable[tuple[Hold, T]]) -> list[list[T]]:
    """What is said of each hold, those of holds that ask alike together; in the order in which each group comes first."""
    groups: dict[Hashable, list[T]] = {}
    for hold, one in found:
        groups.setdefault(key_of(hold), []).append(one)
    return list(groups.values())
