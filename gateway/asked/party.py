"""An asked operation's side of the pipeline: there is nothing to mask and nothing that could change its meaning meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.action import Action
from gateway.asked.reading import action_of, wished
from policies.decision import Decision


class Asker:
    """See `gateway.pipeline.Party`. `left` is set when the client is gone, or has waited as long as it would."""

    in_transaction = False
    locks: tuple[str, ...] = ()

    def __init__(self, form: bytes, action_id: str, number: int, left: asyncio.Event) -> None:
        """`form` is what the digest covers."""
        self._form, self._id, self._number = form, action_id, number
        self.left = left
        self.cancelled = asyncio.Event()

    def obligations(self, _decision: Decision) -> None:
        """None: the answer does not come through here."""

    def masks(self, _obligations: None) -> bool:
        """Whether the answer is masked: it is not ours to mask."""
        return False

    def tell(self, words: str) -> None:
        """Nothing: the client asks."""

    async def again(self, salt: bytes) -> Action:
        """The same, for its bytes are all that it means."""
        return action_of(wished(self._form), self._form, action_id=self._id, number=self._number, salt=salt)

    async def so_far(self) -> tuple[int, int]:
        """Nothing: what operations return does not come through here."""
        return 0, 0

    async def planned(self) -> int | None:
        """Nobody knows."""
        return None

    async def estimate(self) -> Mapping[str, object] | None:
        """Nobody knows."""
        return None
