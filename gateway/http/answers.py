"""Pure. One answer over HTTP/1.1 (RFC 9112), as its bytes come in. llhttp reads it strictly; how long it is, is decided here as well as there.

What two readers could understand in two ways is no answer: another coding than `chunked`, two lengths, folded or bare lines, another protocol.
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.http.lost import Lost

LONGEST_HEAD: Final = 65_536
"""Bytes of a head, with what is said before it (1xx), or of anything else that is no body."""
SWITCHING: Final = 101
BODILESS: Final = frozenset({204, 304})
VERSIONS: Final = frozenset({"1.0", "1.1"})
Headers = list[tuple[bytes, bytes]]


class Reader:
    """What one request is answered with. `to_head` says that it was a HEAD, whose answer has no body whatever it says."""

    def __init__(self, *, to_head: bool = False) -> None:
        self.status = 0
        self.headers: Headers = []
        """Names in small letters, with values; fields after the body are dropped."""
        self.has_head = False
        self.is_over = False
        self.waiting = 0
        """Bytes of the body that nobody has taken yet."""
        self._pieces: list[bytes] = []
        self._to_head = to_head
        self._framed = False
        self._goes_on = False
        self._excess = False
        self._unread = 0
        self._parser = HttpResponseParser(self)

    @property
    def keeps(self) -> bool:
        """Whether the connection may carry another request: the answer is over, and nothing came after it."""
        return self.is_over and self._goes_on and not self._excess

    def feed(self, data: bytes) -> None:
        """Read on. Raises Lost for what is no answer."""
        if self.is_over:
            self._excess = True
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.is_over:
                raise Lost(f"it is no answer: {error.__context__ or error}") from None
            self._excess = True
        if self._unread > LONGEST_HEAD and not self.is_over:
            raise Lost(f"it says more than {LONGEST_HEAD} bytes that are no body")

    def end(self) -> None:
        """The connection has ended, as one that is ended on purpose does. Raises Lost where the answer is not over."""
        if not self.is_over and (not self.has_head or self._framed):
            raise Lost("the answer ends too early")
        self.is_over = True

    def take(self) -> list[bytes]:
        """What has come of the body since this was last asked."""
        taken, self._pieces, self.waiting = self._pieces, [], 0
        return taken

    def close(self) -> None:
        """Read no more."""
        del self._parser  # each holds the other, and the collector comes seldom

    # ---- what the parser calls; whatever is raised here ends the reading ----
    def on_message_begin(self) -> None:
        """An answer begins, or what is said before it, or what nobody asked for."""
        self._excess = self._excess or self.is_over

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or one after the body."""
        if self.has_head:
            return
        name = name.lower()
        if name == b"transfer-encoding":
            if self._framed or value.lower() != b"chunked" or self._parser.get_http_version() != "1.1":
                raise ValueError("its transfer coding is none that the gate reads")
            self._framed = True
        elif name == b"content-length":
            self._framed = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is over."""
        status = self._parser.get_status_code()
        if self.has_head:
            return
        if not 100 <= status < 600 or status == SWITCHING or self._parser.get_http_version() not in VERSIONS:
            raise ValueError(f"nobody asked for status {status} of HTTP/{self._parser.get_http_version()}")
        if status < 200:  # it is about to answer
            self.headers, self._framed = [], False
            return
        self.status, self.has_head, self._unread = status, True, 0
        self._goes_on = self._parser.should_keep_alive()
        self.is_over = self._to_head or status in BODILESS

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self.is_over:
            self._excess = True
            return
        self._unread = 0
        self.waiting += len(body)
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The answer is over, or what is said before it."""
        self.is_over = self.has_head
