"""Who may review a hold, and why not. Every place that asks, asks here.

In this order: the account, the exclusions (owner, deputy, enroller, the person acted for, as they were when it was
asked and as they are now), the role, the groups that review the segment, the resource or the agent, the groups
whose seats are to be filled. People are compared, not accounts; no role is above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.models import Membership, Role, User
from accounts.objects import Key, groups_by_target
from accounts.queries import accounts_of
from accounts.quorum import Requirement, seat_in_words
from agents.models import Agent
from approvals.models import Hold

OWNER, DEPUTY, ENROLLER, ACTED_FOR = "owner", "deputy", "enroller", "acted_for"

_TO: Final[Mapping[str, str]] = {
    OWNER: "You own this agent.",
    DEPUTY: "You are the deputy of this agent's owner.",
    ENROLLER: "You enrolled this agent.",
    ACTED_FOR: "The agent acts for you here.",
    f"was_{OWNER}": "You owned this agent when it asked.",
    f"was_{DEPUTY}": "You were the deputy of this agent's owner when it asked.",
}
_ABOUT: Final[Mapping[str, str]] = {
    OWNER: "Owns this agent.",
    DEPUTY: "Is the deputy of this agent's owner.",
    ENROLLER: "Enrolled this agent.",
    ACTED_FOR: "The agent acts for them here.",
    f"was_{OWNER}": "Owned this agent when it asked.",
    f"was_{DEPUTY}": "Was the deputy of this agent's owner when it asked.",
}


@dataclass(frozen=True)
class Standing:
    """Whether `user` may review, and if not why: `because` says it to them, `about` says it of them.

    `groups` are those of the requirement whose seats the user can fill.
    """

    user: User
    eligible: bool
    code: str = ""
    because: str = ""
    about: str = ""
    groups: frozenset[str] = frozenset()


def standing(user: User, hold: Hold) -> Standing:
    """Where `user` stands before `hold`, now."""
    return Bench([user], [hold]).standing(user, hold)


def glass_standing(user: User, hold: Hold) -> Standing:
    """Where `user` stands before breaking the glass of `hold`: in a group that policy names for it, and nobody whom it excludes."""
    return Bench([user], [hold]).standing(user, hold, wanted=hold.breakglass)


def exclusions(agent: Agent, acted_for: User | None) -> list[dict[str, str]]:
    """Those who may not review what `agent` asks, as they are now; kept with a hold when it is asked."""
    people = ((agent.owner, OWNER), (agent.deputy, DEPUTY), (agent.enroller, ENROLLER), (acted_for, ACTED_FOR))
    return [
        {"user": str(person.id), "person": str(person.person), "because": because}
        for person, because in people
        if person
    ]


class Bench:
    """Several people before several holds, with what their standing takes read once."""

    def __init__(
        self,
        users: Iterable[User],
        holds: Sequence[Hold],
        *,
        memberships: Mapping[UUID, list[Membership]] | None = None,
        accounts: Mapping[UUID, set[str]] | None = None,
        beside: Bench | None = None,
    ) -> None:
        """What was read already is given: `memberships` of `users` with their groups, their `accounts` by person, and a
        bench of others before the same holds, to stand `beside`.
        """
        users = list(users)
        self._memberships = _memberships(users) if memberships is None else memberships
        self.reviewing: Mapping[Key, set[str]] = beside.reviewing if beside else _reviewing(holds)
        self._accounts = accounts_of(users) if accounts is None else accounts

    def standing(self, user: User, hold: Hold, *, wanted: Collection[str] | None = None) -> Standing:
        """Where `user` stands before `hold`; both must have been named at the start.

        `wanted` are those whose seats count; those of the hold's own requirement unless said.
        """
        needs = Requirement.of(hold.requirement)
        refusal = _closed(user) or _excluded(user, hold, self._accounts[user.person]) or self._left_out(user, needs)
        if refusal:
            code, because, about = refusal
            return Standing(user, eligible=False, code=code, because=because, about=about)
        names = set(needs.names if wanted is None else wanted)
        if named := hold.named(user) & names:
            counting = self._counting(user, hold) & names if user.has_role(Role.REVIEWER) else set()
            return Standing(user, eligible=True, groups=frozenset({*named, *counting}))
        refusal = _unable(user)
        if refusal:
            code, because, about = refusal
            return Standing(user, eligible=False, code=code, because=because, about=about)
        return self._seated(user, hold, names)

    def _counting(self, user: User, hold: Hold) -> set[str]:
        memberships = self._memberships.get(user.id, [])
        return {one.group.name for one in memberships if one.counts_for(hold.asked_at)}

    def _left_out(self, user: User, needs: Requirement) -> tuple[str, str, str] | None:
        """Why the requirement takes nobody of a group of theirs; membership counts against one from the first moment."""
        mine = {one.group.name for one in self._memberships.get(user.id, [])} & needs.without
        if not mine:
            return None
        groups = _either(mine)
        return "left_out", f"Policy lets nobody of {groups} decide this.", f"Is in {groups}, whom policy leaves out."

    def _seated(self, user: User, hold: Hold, wanted: set[str]) -> Standing:
        memberships, counting = self._memberships.get(user.id, []), self._counting(user, hold)
        late = {one.group.name for one in memberships} - counting
        reviewing = self._reviewing_groups(hold)
        if not counting & reviewing:
            return _without_permission(user, hold, late & reviewing)
        if not counting & wanted:
            return _without_seat(user, wanted, late & wanted)
        return Standing(user, eligible=True, groups=frozenset(counting & wanted))

    def _reviewing_groups(self, hold: Hold) -> set[str]:
        """The groups that review the segment, the resource or the agent of `hold`."""
        resource = hold.resource
        keys = (("segment", resource.segment_id), ("resource", resource.id), ("agent", hold.agent_id))
        return set().union(*(self.reviewing.get(key, set()) for key in keys))


def _reviewing(holds: Sequence[Hold]) -> Mapping[Key, set[str]]:
    """The groups that review the segments, resources and agents of `holds`."""
    targets = {(type(one), one.pk): one for hold in holds for one in (hold.resource.segment, hold.resource, hold.agent)}
    return groups_by_target(targets.values())


def _memberships(users: Collection[User]) -> Mapping[UUID, list[Membership]]:
    found: dict[UUID, list[Membership]] = defaultdict(list)
    for membership in Membership.objects.filter(user__in=users).select_related("group"):
        found[membership.user_id].append(membership)
    return found


def _closed(user: User) -> tuple[str, str, str] | None:
    return None if user.is_active else ("closed", "Your account is closed.", "Has a closed account.")


def _unable(user: User) -> tuple[str, str, str] | None:
    able = user.has_role(Role.REVIEWER)
    return None if able else ("role", "You are not a reviewer.", "Is not a reviewer.")


def _excluded(user: User, hold: Hold, accounts: Collection[str]) -> tuple[str, str, str] | None:
    """Why the person with these `accounts` may not. Who it was when it was asked is looked up by account: accounts that
    were linked since are of one person now.
    """
    now = {one["person"]: one["because"] for one in reversed(exclusions(hold.agent, hold.on_behalf_of))}
    because = now.get(str(user.person))
    if because:
        return because, _TO[because], _ABOUT[because]
    then = [one["because"] for one in hold.excluded if one["user"] in accounts or one["person"] == str(user.person)]
    if then:
        was = f"was_{then[0]}" if f"was_{then[0]}" in _TO else then[0]
        return then[0], _TO[was], _ABOUT[was]
    return None


def _without_permission(user: User, hold: Hold, late: set[str]) -> Standing:
    if late:
        return _joined_late(user, late)
    segment = hold.resource.segment.name
    return Standing(
        user,
        eligible=False,
        code="segment",
        because=f"None of your groups reviews the segment {segment}.",
        about=f"Is in no group that reviews the segment {segment}.",
    )


def _without_seat(user: User, wanted: set[str], late: set[str]) -> Standing:
    if late:
        return _joined_late(user, late)
    groups = _either(wanted)
    return Standing(
        user, eligible=False, code="group", because=f"It takes somebody from {groups}.", about=f"Is not in {groups}."
    )


def _joined_late(user: User, late: set[str]) -> Standing:
    groups = _either(late)
    return Standing(
        user,
        eligible=False,
        code="joined_late",
        because=f"You joined {groups} after this was asked; a second administrator can confirm it.",
        about=f"Joined {groups} after it was asked.",
    )


def _either(groups: set[str]) -> str:
    return " or ".join(seat_in_words(group) for group in sorted(groups))
