"""Step 7 for HTTP: an API's answer on its way to the agent, streamed where nothing in it is tagged, masked whole where something is."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from activity.hotpath import Frame, columns_json
from agents.detectors.acting import NONE, Detecting
from agents.detectors.forms import Form
from agents.detectors.masker import Masker
from agents.detectors.masker import masked as look_through
from agents.detectors.scanner import Scanner
from gateway.http.masking import Path, hide, masked, parsed, written
from gateway.http.pool import Answer
from gateway.http.reading import is_json, media_type
from gateway.refusal import Refusal

LONGEST_MASKED: Final = 8 * 1024 * 1024
"""Bytes of an answer that is masked: it is read whole."""
LONGEST_STREAM: Final = 1024 * 1024 * 1024
KEPT: Final = 4_000
"""Characters of an answer in a recording."""
ANSWERED: Final = frozenset(
    {
        "accept-ranges", "allow", "cache-control", "content-disposition", "content-language", "content-range", "content-type", "etag",
        "expires", "last-modified", "link", "ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset",
        "retry-after", "vary", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id", "x-total-count",
    }
)  # fmt: skip
"""Headers that come back. Cookies, challenges and what speaks of one connection do not."""


@dataclass(frozen=True)
class Plan:
    """What is masked for the agent, and what in every recording: paths in the answer, and what detectors find."""

    answer: tuple[Path, ...] = ()
    recording: tuple[Path, ...] = ()
    detecting: Detecting = NONE
    lifted: frozenset[str] = frozenset()
    """Detectors that do not act for this agent."""

    @property
    def scanner(self) -> Scanner:
        """What is looked for in what the agent gets."""
        return self.detecting.without(self.lifted)

    @property
    def keeping(self) -> Scanner | None:
        """What is looked for in what is kept, where that is more."""
        return self.detecting.scanner if self.lifted & self.detecting.strategies.keys() else None


OF_PARTS: Final = frozenset({"accept-ranges", "content-range"})
"""What speaks of parts of an answer: where detectors act, an answer comes back whole, or a part could end within a value."""
_LINES_OF_JSON: Final = frozenset(
    {"application/x-ndjson", "application/jsonl", "application/json-seq", "text/event-stream"}
)
_TEXTS: Final = frozenset({"", "application/xml", "application/javascript", "application/yaml", "application/x-yaml", "application/x-www-form-urlencoded",
                           "application/toml", "application/sql", "application/graphql", "application/x-pem-file"})  # fmt: skip


def form_of(media: str) -> Form | None:
    """How detectors read an answer; None for pictures, archives and the like, which they do not."""
    if is_json(media) or media in _LINES_OF_JSON:
        return Form.JSON
    return Form.TEXT if media.startswith("text/") or media.endswith("+xml") or media in _TEXTS else None


@dataclass
class Given:
    """What an API gave back, as far as it is kept: for the outcome and the recording."""

    status: int = 0
    media: str = ""
    size: int = 0
    masked_values: int = 0
    detected: Counter[str] = field(default_factory=Counter)
    kept: bytes = b""
    hidden: bool = False
    """Nothing of it may be kept."""

    @property
    def has_room(self) -> bool:
        """Whether more of it is kept."""
        return len(self.kept) < KEPT * 4

    def keep(self, data: bytes) -> None:
        """Keep the beginning."""
        if self.has_room:
            self.kept += data[: KEPT * 4 - len(self.kept)]

    def frame(self) -> Frame:
        """What is kept of the answer."""
        text = self.kept.decode("utf-8", "replace")
        readable = self.media.startswith("text/") or is_json(self.media) or not self.kept
        body = text[:KEPT] if readable and not self.hidden else "(not kept)"
        columns = columns_json(("status", "type", "body"), frozenset({2} if self.hidden else ()))
        return Frame(columns, [[str(self.status), self.media[:100], body]], cut=self.size > KEPT)


@dataclass
class Passing:
    """One answer, passing."""

    answer: Answer
    plan: Plan
    secrets: tuple[bytes, ...]
    base: str
    """Where the API begins, as it is reached: scheme, host, path."""
    here: str
    """Where it begins for the agent."""
    given: Given = field(default_factory=Given)

    def head(self) -> list[tuple[bytes, bytes]]:
        """The headers that come back. Raises Refusal for a redirect that leads away."""
        said = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.answer.headers]
        self.given.status, self.given.media = self.answer.status, media_type(said)
        passed = ANSWERED - OF_PARTS if self.plan.scanner else ANSWERED
        headers = [(name, hide(value.encode("latin-1"), self.secrets)) for name, value in said if name in passed]
        led = (self._location(value) for name, value in said if name == "location")
        headers += [("location", one.encode("latin-1", "replace")) for one in led]
        return [(name.encode(), value) for name, value in headers]

    def _location(self, location: str) -> str:
        """Where a redirect leads, as the agent may follow it: within the resource, or nowhere."""
        base = urlsplit(self.base)
        led = urlsplit(location)
        same = (not led.scheme and not led.netloc) or (led.scheme, led.netloc) == (base.scheme, base.netloc)
        inside = led.path.startswith(base.path.rstrip("/") + "/")
        if not same or not inside or ".." in led.path or "\\" in location:
            raise Refusal("The API redirects to elsewhere, and the gate does not follow.", code="redirect_denied")
        rest = led.path[len(base.path.rstrip("/")) :]
        return f"{self.here}{rest}" + (f"?{led.query}" if led.query else "")

    @property
    def whole(self) -> bool:
        """Whether the answer has to be read whole before any of it comes back."""
        return bool(self.plan.recording)

    @property
    def is_here(self) -> bool:
        """Whether all of the body has come already, and is as long as it will be."""
        return self.answer.is_over and not self.answer.header(b"content-encoding")

    async def body(self) -> AsyncIterator[bytes]:
        """The body as the agent gets it. Raises Refusal for what cannot be read, or masked."""
        decoded = self._decoded()
        if self.whole:
            yield await self._masked(decoded)
            return
        async for data in self._looked_through(hidden(decoded, self.secrets)):
            self.given.size += len(data)
            if self.given.size > LONGEST_STREAM:
                raise Refusal("The API's answer is longer than 1 GiB.", code="answer_too_long")
            yield data

    async def _looked_through(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A stream without what detectors find in it; what is kept of it is looked through by all of them."""
        form = form_of(self.given.media)
        masker = Masker(self.plan.scanner if form is not None else NONE.scanner, form or Form.TEXT)
        self.given.detected = masker.counts
        keeper = Masker(self.plan.keeping, form) if self.plan.keeping is not None and form is not None else None
        async for data in stream:
            out = masker.feed(data)
            self.given.keep(out if keeper is None else keeper.feed(data) if self.given.has_room else b"")
            if out:
                yield out
        out = masker.end()
        self.given.keep(out if keeper is None else keeper.end())
        if out:
            yield out

    async def _decoded(self) -> AsyncIterator[bytes]:
        coding = self.answer.header(b"content-encoding").lower().strip()
        if coding in {"", "identity"}:
            async for data in self.answer.body():
                yield data
            return
        if coding not in {"gzip", "x-gzip", "deflate"}:
            raise Refusal(
                f"The API answers in the encoding {coding[:20]}, which the gate does not read.", code="answer_unclear"
            )
        inflating = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            async for data in self.answer.body():
                left = data
                while left:  # a little at a time: a small answer may unfold into a large one
                    yield inflating.decompress(left, 65_536)
                    left = inflating.unconsumed_tail
            yield inflating.flush()
            if not inflating.eof:
                raise Refusal("The API's answer ends too early.", code="answer_unclear")
        except zlib.error:
            raise Refusal("The API's answer is not the encoding that it says.", code="answer_unclear") from None

    async def _masked(self, decoded: AsyncIterator[bytes]) -> bytes:
        body = await collected(hidden(decoded, self.secrets), LONGEST_MASKED)
        self.given.hidden = True
        if not body:
            return b""
        if not is_json(self.given.media):
            raise Refusal("What comes back is tagged and is no JSON, so it cannot be masked.", code="answer_unclear")
        try:
            said = parsed(body)
            answer, self.given.masked_values = masked(said, self.plan.answer)
            kept, _ = masked(said, self.plan.recording)
            given = written(answer)
        except (ValueError, RecursionError):
            raise Refusal(
                "What comes back is tagged and cannot be read, so it cannot be masked.", code="answer_unclear"
            ) from None
        given, self.given.detected = look_through(given, self.plan.scanner, Form.JSON)
        self.given.hidden = False
        self.given.keep(look_through(written(kept), self.plan.detecting.scanner, Form.JSON)[0])
        self.given.size = len(given)
        return given


async def collected(stream: AsyncIterator[bytes], most: int) -> bytes:
    """All of a stream. Raises Refusal for one that is longer than may be read whole."""
    parts, size = [], 0
    async for data in stream:
        parts.append(data)
        size += len(data)
        if size > most:
            raise Refusal("What comes back is tagged and too long to be masked.", code="answer_too_long")
    return b"".join(parts)


async def hidden(stream: AsyncIterator[bytes], secrets: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A stream without the gate's own credential, wherever it is cut into pieces."""
    named = tuple(one for one in secrets if one)
    if not named:
        async for data in stream:
            yield data
        return
    behind = max((len(one) for one in named), default=1) - 1
    held = b""
    async for data in stream:
        held = hide(held + data, named)
        ready = len(held) - _begun(held, named, behind)
        if ready:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held


def _begun(data: bytes, secrets: Sequence[bytes], behind: int) -> int:
    """How many bytes at the end of `data` may be the beginning of a secret."""
    for length in range(min(behind, len(data)), 0, -1):
        if any(one.startswith(data[-length:]) for one in secrets):
            return length
    return 0
