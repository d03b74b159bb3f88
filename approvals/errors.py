"""What only a release can be told. Pure: no Django, no I/O."""

from __future__ import annotations

from core.errors import NotEligible, Stale


class PoliciesChanged(Stale):
    """The decision was made by policies that are no longer active: load them and decide again."""

    code = "policies_changed"


class QuorumLost(NotEligible):
    """The reviews no longer meet what policy now requires: the hold waits again, or has lapsed."""

    code = "quorum_lost"
