"""TLS towards clients: one whose certificate does not verify is told so by an alert (RFC 8446, section 6.2), and noticed.

asyncio and uvloop end a failed handshake without sending what OpenSSL wanted said, and the client would see no more than a
connection that ended. Here the failure waits until the alert is on its way: the client hangs up then, or time is up.
"""

from __future__ import annotations

import ssl
from typing import Any, Self, cast


class Conversation(ssl.SSLObject):
    """The TLS side of one connection."""

    handshake: Handshake

    def do_handshake(self) -> None:
        """Take the next step. Raises what the loops expect: SSLWantReadError until it is done."""
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            self.handshake.failure = error.verify_message
            raise ssl.SSLWantReadError from None  # the loop sends what waits: the alert


class Handshake(ssl.SSLContext):
    """One handshake, given to `start_tls` in the place of the server's `context`, which does the work."""

    context: ssl.SSLContext
    failure: str = ""
    """Why the client's certificate was not believed; empty while it was, or there is none."""

    @classmethod
    def by(cls, context: ssl.SSLContext) -> Self:
        """A handshake that is about to begin."""
        handshake = cls(ssl.PROTOCOL_TLS_SERVER)
        handshake.context = context
        return handshake

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:  # noqa: ANN401 -- as the loops call it
        """Begin."""
        conversation = cast("Conversation", self.context.wrap_bio(*arguments, **named))
        conversation.handshake = self
        return conversation
