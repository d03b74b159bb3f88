"""An action decided again: what was kept of it, put to the version that decided it, or to any other."""

from __future__ import annotations

from dataclasses import dataclass

from activity.models import Action, Question
from core.errors import NotFound, Refused
from core.words import listing
from policies import sealing
from policies.models import PolicyVersion
from policies.question import Asked, identifier_of, read
from policies.trial import effect, in_words, not_kept


@dataclass(frozen=True)
class Again:
    """The answer of `version`. `agrees` says whether verdict and policies are those recorded; None for another version."""

    version: int
    verdict: str
    words: str
    why: str
    policies: tuple[str, ...]
    agrees: bool | None
    question: str
    """Everything it was decided by but the policies, canonical JSON."""


def decide_again(action: Action, number: int | None = None) -> Again:
    """Decide `action` by version `number`, by default the one that decided it. Raises NotFound and Refused."""
    asked, text = _kept(action)
    wanted = action.policy_version if number is None else number
    version = PolicyVersion.objects.filter(number=wanted).first()
    if version is None:
        raise NotFound(f"There is no version {wanted}.", "Choose one from the list of versions.")
    engine = sealing.engine(version, asked.world)
    unknown = not_kept(asked.ask, engine) if version.number != action.policy_version else None
    if unknown:
        raise NotFound(
            f"Version {version.number} looks at {listing(sorted(unknown))}, which was not kept of this action.",
            "It is kept where the policies in force look at it.",
        )
    decision = engine.decide(asked.ask)
    same = decision.verdict == action.decision and list(decision.policies) == action.policies
    return Again(
        version.number,
        decision.verdict.value,
        in_words(effect(asked.ask, decision)),
        decision.why,
        decision.policies,
        same if version.number == action.policy_version else None,
        text,
    )


def _kept(action: Action) -> tuple[Asked, str]:
    """The question, if it is the one that the action's row and entry name."""
    kept = Question.objects.filter(id=action.question_id) if action.question_id else Question.objects.none()
    text = kept.values_list("text", flat=True).first()
    if text is None and action.erasure_id is not None:
        raise NotFound("What it was decided by was erased.", "Its entry still says how it was decided.")
    if text is None:
        raise NotFound(
            "Nothing is kept to decide it by again.",
            "It was refused before any policy was asked, or is older than the keeping.",
        )
    try:
        if identifier_of(text) == str(action.question_id):
            return read(text), text
    except ValueError:
        pass
    raise Refused(
        "What is kept of it is not what its entry names: somebody changed it.",
        "Compare with a backup, and with the ledger.",
        code="question_changed",
    )
