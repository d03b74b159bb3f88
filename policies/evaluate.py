"""Pure: decides an action against one immutable snapshot of policies and registry.

Nothing is allowed by absence: whatever goes wrong, or matches nothing, denies with its own reason.
The steps of a decision, numbered again in the code:

1. Refuse a request that is malformed, too large, or names what the snapshot does not know.
2. For each verb, and each part of what has several, evaluate the policies whose scope can match. Where some speak of parts of
   the resource, each that is touched is a question of its own, put to the policies of it, of what it lies in and of the whole.
3. Any evaluation error denies, because Cedar skips a policy that errors, forbids included.
4. A denial whose determining forbids all carry @hold is a hold if an approval would allow it.
5. The strictest verb, or part, wins; requirements are joined, deadlines and unmasked tags narrowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final

from core.errors import Invalid
from policies import moment, parts, schema
from policies.arguments import NAME
from policies.cedar import About, Answer, answer_about, entities_in, entities_of
from policies.context import ON_DEMAND, misfit, oversized, supplied_ours
from policies.decision import Ask, Code, Decision, Keyed, Reason, Verdict
from policies.parse import Policy, Rules, Slice, all_read, policies, slice_of
from policies.parts import COLUMN, Chain, Uid
from policies.ruling import Ruling, allowed, alone, combine, forbidden, held, reasons_of, refused
from policies.slicing import Lineage
from policies.terms import Terms
from policies.verbs import ARRANGING, MCP_SESSION, VERBS
from policies.world import World, action_lineage

__all__ = ["Ask", "Code", "Decision", "Engine", "Reason", "Verdict"]

REMEMBERED: Final = 16_384
"""Decisions kept by one engine; each is at most a few kilobytes."""


class Engine:
    """Policies and registry at one version. Immutable, so its decisions can be remembered."""

    def __init__(
        self,
        rules: Rules,
        world: World,
        *,
        version: int,
        snapshot: str,
        entities: str = "",
        closed: str = "",
    ) -> None:
        self.version, self.snapshot = version, snapshot
        self._rules, self._closed = rules, closed
        self.world = world
        self._reads = ON_DEMAND if rules.reads is None else rules.reads
        self._index = rules.index
        self._entities = entities_in(entities or world.entities_json())
        self._remembered = lru_cache(REMEMBERED)(self._decide)
        self._matching = lru_cache(REMEMBERED)(self._find)
        self._looks_at = lru_cache(REMEMBERED)(self._look)
        self._ruled = lru_cache(REMEMBERED)(self._rule_by)
        self._alone = lru_cache(REMEMBERED)(partial(alone, version=version, snapshot=snapshot))
        self._slice: Callable[[frozenset[str]], Slice] = lru_cache(4_096)(partial(slice_of, rules))
        self._sliced = lru_cache(REMEMBERED)(self._slice_for)
        self._of_parts = lru_cache(REMEMBERED)(self._find_of_parts)
        self._of_part = lru_cache(REMEMBERED)(self._slice_of_part)

    @classmethod
    def build(cls, text: str, world: World, *, version: int, rules: Rules | None = None) -> Engine:
        """Parse and validate `text` over `world`, unless its `rules` are known. Raises Invalid; an engine that exists can decide."""
        entities = world.entities_json()
        snapshot = "sha256:" + hashlib.sha256(f"{text}\0{entities}\0{schema.text()}".encode()).hexdigest()
        read = policies(text) if rules is None else rules
        try:
            return cls(read, world, version=version, entities=entities, snapshot=snapshot)
        except ValueError as error:
            raise Invalid("entities", f"Cedar cannot read the registry: {error}.") from None

    @classmethod
    def closed(cls, why: str, *, version: int = 0) -> Engine:
        """An engine that denies everything because of `why`, for when there is nothing to decide by."""
        return cls(Rules({}), World.of((), ()), version=version, snapshot="", closed=why)

    def decide(self, ask: Ask) -> Decision:
        """Answer `ask`. Never raises: what cannot be answered is denied with its reason."""
        try:
            return self._remembered(ask.keyed)
        except (TypeError, AttributeError) as error:
            return self._deny(Code.MALFORMED_REQUEST, f"The request cannot be understood: {error}.")
        except Exception as error:  # noqa: BLE001 -- promise 2: any error whatever in deciding denies
            return self._deny(Code.ENGINE_ERROR, f"The decision failed with {type(error).__name__}.")

    def concerning(self, agent: str, verb: str, resource: str) -> tuple[Policy, ...]:
        """The policies whose scope can match; none for what the snapshot does not know."""
        if agent not in self.world.agents or resource not in self.world.resources:
            return ()
        return tuple([self._rules[policy] for policy in sorted(self._all_matching(agent, verb, resource))])

    def wanted(self, agent: str, verbs: frozenset[str], resource: str) -> frozenset[str]:
        """What differs from one action to the next and policies that can match look at: mostly nothing."""
        read = self._looks_at(agent, verbs, resource)
        return ON_DEMAND if read is None else ON_DEMAND & read

    def projected(self, ask: Ask) -> Ask:
        """The same question without what no policy that can match looks at: it is answered alike, and asked once for many."""
        read = self._looks_at(ask.agent, ask.verbs, ask.resource)
        if read is None or any(_unfit(ask, context) for _, context in ask.questions):
            return ask

        def needed(said: Mapping[str, object]) -> dict[str, object]:
            return {name: value for name, value in said.items() if name in read}

        each = tuple([(verb, needed(own)) for verb, own in ask.each])
        return Ask(ask.agent, ask.verbs, ask.resource, needed(ask.context), needed(ask.ours), each)

    def arguments_read(self, agent: str, verbs: frozenset[str], resource: str) -> frozenset[str] | None:
        """The arguments, by their first names, that policies which can match look at; None where one looks at whatever there is."""
        found = [policy for verb in verbs for policy in self.concerning(agent, verb, resource)]
        if any(policy.reads is None or (NAME in policy.reads and not policy.arguments) for policy in found):
            return None
        return frozenset(name for policy in found for name in policy.arguments)

    def looks_at(self, name: str) -> bool:
        """Whether any policy looks at that, one of `ON_DEMAND`."""
        return name in self._reads

    def _look(self, agent: str, verbs: frozenset[str], resource: str) -> frozenset[str] | None:
        return all_read(policy for verb in verbs for policy in self.concerning(agent, verb, resource))

    def _deny(self, code: Code, why: str) -> Decision:
        return combine([refused(code, why)], version=self.version, snapshot=self.snapshot)

    def _decide(self, keyed: Keyed) -> Decision:
        ask = keyed.ask
        # 1. What the snapshot does not know, nobody has allowed.
        refusal = self._refusal(ask)
        if refusal:
            return combine([refusal], version=self.version, snapshot=self.snapshot)
        rulings = [ruling for verb, context in ask.questions for ruling in self._rule(ask, verb, context)]
        if len(rulings) == 1 and rulings[0].reasons:
            return self._alone(rulings[0])
        # 5. Deny beats hold beats allow.
        return combine(rulings, version=self.version, snapshot=self.snapshot)

    def _refusal(self, ask: Ask) -> Ruling | None:
        """Whatever the snapshot does not know, or the request may not say."""
        if self._closed or not self._rules:
            return refused(Code.NO_POLICIES, self._closed or "There is no policy, so nothing is allowed.")
        if not ask.verbs:
            return refused(Code.NOTHING_ASKED, "Nothing was asked: the action has no verb.")
        if not ask.verbs <= VERBS:
            return refused(
                Code.UNKNOWN_VERB, f"No policy can speak of {min(ask.verbs - VERBS)}: the verb is not known."
            )
        if ask.agent not in self.world.agents:
            return refused(Code.UNKNOWN_AGENT, f"The agent {ask.agent} is not an active one.")
        if ask.resource not in self.world.resources:
            return refused(Code.UNKNOWN_RESOURCE, f"There is no resource {ask.resource}.")
        return next(filter(None, [_unfit(ask, context) for _, context in ask.questions]), None)

    def _rule(self, ask: Ask, verb: str, said: Mapping[str, object]) -> Iterable[Ruling]:
        # 2. Cedar looks at slices; their ids are ours.
        sliced = self._sliced(ask.agent, verb, ask.resource)
        whole = About(("Resource", ask.resource), sliced, self._entities, ask, verb=verb, said=said)
        if not self._index.of_parts or not self._of_parts(ask.agent, verb, ask.resource):
            return (self._judge(ask, verb, said, (whole,)),)
        try:
            chains = parts.touched(ask.resource, verb, said)
        except ValueError as error:
            return (refused(Code.MALFORMED_REQUEST, f"What it touches cannot be told: {error}."),)
        met: dict[Uid, About | None] = {}
        asked: dict[tuple[About, ...], Uid | None] = {}  # parts that the same policies look at are answered alike
        for chain in chains:
            told = chain[1] if chain[0][0] == COLUMN else chain[0]  # only its table permits a column
            asked.setdefault((whole, *self._within(ask, verb, said, chain, met)), told)
        rulings = (self._judge(ask, verb, said, abouts, part) for abouts, part in (asked or {(whole,): None}).items())
        return dict.fromkeys(rulings)

    def _judge(
        self, ask: Ask, verb: str, said: Mapping[str, object], abouts: Sequence[About], part: Uid | None = None
    ) -> Ruling:
        """What is ruled of one part with all that it lies in, or of the whole."""
        for about in abouts:
            unlike = about.sliced.misfit(said)
            if unlike:
                why = f"The argument {unlike[:60]} is not of the kind that a policy expects it to be."
                return refused(Code.MALFORMED_REQUEST, why)
        answer = answer_about(abouts)
        if answer.allows or not answer.policies or not all(self._rules[one].terms.hold for one in answer.policies):
            return self._ruling(answer, ask, verb, said, part)
        # 4. It would be a hold: ask again as if people had approved.
        approved = answer_about(abouts, approved=True)
        if approved.allows:
            return self._ruled(answer.policies, approved.policies, verb in ARRANGING)
        return _never(self._ruling(approved, ask, verb, said, part), self._ruling(answer, ask, verb, said, part))

    def _within(
        self, ask: Ask, verb: str, said: Mapping[str, object], chain: Chain, met: dict[Uid, About | None]
    ) -> Iterator[About]:
        """The part that a chain begins with and what it lies in, as far as policies speak of them. `met` are those of chains before."""
        for place, part in enumerate(chain):
            if part not in met:
                innermost = not place or chain[place - 1][0] != part[0]
                met[part] = self._about_part(ask, verb, said, chain[place:], innermost)
            about = met[part]
            if about is not None:
                yield about

    def _about_part(
        self, ask: Ask, verb: str, said: Mapping[str, object], chain: Chain, innermost: bool
    ) -> About | None:
        """The first part of a chain; None where no policy speaks of it."""
        sliced = self._of_part(ask.agent, verb, ask.resource, chain, innermost)
        if sliced is None:
            return None
        agent, resource = self.world.agents[ask.agent], self.world.resources[ask.resource]
        tags = parts.tags_of(chain[0], said) if chain[0][0] == COLUMN else frozenset[str]()
        return About(chain[0], sliced, entities_of(agent, resource, chain, tags), ask, verb=verb, said=said)

    def _ruling(self, answer: Answer, ask: Ask, verb: str, said: Mapping[str, object], part: Uid | None) -> Ruling:
        """What an answer alone comes to; a denial without a forbid has nothing to wait for."""
        if answer.refusal:
            return answer.refusal
        if answer.allows:
            return self._ruled((), answer.policies, verb in ARRANGING)
        return self._ruled(answer.policies, (), False) if answer.policies else self._unmatched(ask, verb, said, part)

    def _rule_by(self, forbids: tuple[str, ...], permits: tuple[str, ...], arranging: bool) -> Ruling:
        """The ruling of the policies that determined an answer: a hold where they are both."""
        stopping, letting = self._terms(forbids), self._terms(permits)
        if not letting:
            return forbidden(stopping)
        allows = _arranging(letting) if arranging else allowed(letting)
        return held(stopping, allows) if stopping else allows

    def _terms(self, names: Iterable[str]) -> list[Terms]:
        return [self._rules[name].terms for name in names]

    def _unmatched(self, ask: Ask, verb: str, said: Mapping[str, object], part: Uid | None) -> Ruling:
        """No forbid and no permit matched. Arranging a session goes with whatever else is permitted there."""
        if verb in ARRANGING:
            others = VERBS if verb != MCP_SESSION else [other for other in VERBS if other.startswith("mcp:")]
            near = {policy for other in others for policy in self._all_matching(ask.agent, other, ask.resource)}
            permits = tuple(one for one in sorted(near) if self._rules[one].terms.effect == "permit")
            if permits:
                return self._ruled((), permits, True)
        return refused(
            Code.NO_MATCH, f"No policy allows {ask.agent} to do {_named(ask, verb, said, part)} at {ask.resource}."
        )

    def _slice_for(self, agent: str, verb: str, resource: str) -> Slice:
        return self._slice(self._matching(agent, verb, resource))

    def _find(self, agent: str, verb: str, resource: str) -> frozenset[str]:
        return self._index.matching(*self._lineages(agent, verb, resource))

    def _find_of_parts(self, agent: str, verb: str, resource: str) -> frozenset[str]:
        return self._index.of_any_part(*self._lineages(agent, verb, resource), parts.types_of(verb))

    def _slice_of_part(self, agent: str, verb: str, resource: str, chain: Chain, innermost: bool) -> Slice | None:
        found = self._index.of_part(*self._lineages(agent, verb, resource), chain, innermost=innermost)
        if verb in parts.UNBOUNDED:
            found = frozenset(one for one in found if self._rules[one].terms.effect == "forbid")
        return self._slice(found) if found else None

    def _all_matching(self, agent: str, verb: str, resource: str) -> frozenset[str]:
        """Those of the whole, and those of any part."""
        whole = self._matching(agent, verb, resource)
        return whole | self._of_parts(agent, verb, resource) if self._index.of_parts else whole

    def _lineages(self, agent: str, verb: str, resource: str) -> tuple[Lineage, Lineage, Lineage]:
        return self.world.agents[agent].lineage, action_lineage(verb), self.world.resources[resource].lineage


def _arranging(permits: Sequence[Terms]) -> Ruling:
    """What arranges a session returns no data, so it has no say in what is unmasked."""
    return Ruling(Verdict.ALLOW, Code.PERMITTED, "It only arranges the session.", reasons_of(permits))


def _never(once_approved: Ruling, ruling: Ruling) -> Ruling:
    """Approval would not help: tell what stands in its way, unless that is the same forbids again."""
    return ruling if once_approved.code is Code.FORBIDDEN else once_approved


def _named(ask: Ask, verb: str, said: Mapping[str, object], part: Uid | None) -> str:
    """The verb and, of what comes down to several parts, which of them it is about."""
    if part is not None:
        return f"{verb} ({part[1].partition('/')[2]})"
    args = said.get("args") if ask.each else None
    what = said.get("operation") or (args.get("path") if isinstance(args, Mapping) else None)
    return f"{verb} ({what})" if args is not None and isinstance(what, str) else verb


def _unfit(ask: Ask, context: Mapping[str, object]) -> Ruling | None:
    ours = supplied_ours(context)
    if ours:
        return refused(Code.RESERVED_CONTEXT, f"The request supplies {min(ours)}, which is the gate's alone to say.")
    wrong = misfit(context) or misfit(ask.ours, moment.TYPES)
    if wrong:
        return refused(Code.MALFORMED_REQUEST, f"The request's {wrong} is not what the schema says.")
    if oversized(context):
        return refused(Code.OVERSIZED_CONTEXT, "The request says more about itself than a decision will read.")
    return None
