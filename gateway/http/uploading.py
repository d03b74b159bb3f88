"""A long body that is no JSON: it goes up as it comes, once it was decided that it may. Nobody has seen it before.

What is decided of it is its length, which its head says and llhttp keeps it to; its digest, over the action's salt and its bytes, is known and recorded when
it has passed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Final

from activity.hotpath import Sent
from gateway.http.lost import Lost
from gateway.http.reading import LONGEST_BODY, is_json, media_type
from gateway.web import Problem, Request

LONGEST_UPLOAD: Final = 1024 * 1024 * 1024


class Upload:
    """The `size` bytes that follow a request's head."""

    def __init__(self, request: Request, size: int, within: float) -> None:
        self.size = size
        self._request, self._within = request, within
        self._came, self._hash = 0, sha256()

    async def pieces(self, salt: bytes) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Lost where the client breaks off, Problem where it says nothing for too long."""
        self._hash.update(salt)
        async for piece in self._request.pieces(self._within):
            self._came += len(piece)
            self._hash.update(piece)
            yield piece
        if not self.is_whole:
            raise Lost("the client broke off")

    @property
    def is_whole(self) -> bool:
        """Whether all of it has passed."""
        return self._came == self.size

    @property
    def sent(self) -> Sent:
        """What has passed so far: its digest is as `activity.digest` makes them."""
        return {"bytes": self._came, "digest": f"sha256:{self._hash.hexdigest()}"}


def upload_of(request: Request, within: float) -> Upload | None:
    """The body that has to go up as it comes; None for one that is read first. Raises Problem for one that is too long."""
    size = int(request.header("content-length") or 0)
    if size <= LONGEST_BODY or is_json(media_type(request.headers)):
        return None
    if size > LONGEST_UPLOAD:
        raise Problem(
            413, "too_long", f"The request has more than {LONGEST_UPLOAD} bytes.", headers={"connection": "close"}
        )
    return Upload(request, size, within)
