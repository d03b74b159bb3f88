"""Pure. A text on its way, without the values that were found in it: in pieces as it comes, and the same however it is cut.

At most `TO_SEE` bytes of a line that is not over are held back, and nothing of a line that is. JSON stays JSON: a number that has to go is `null`.
With `Form.FIT` every byte keeps its place, for a terminal's columns and for lengths that a protocol has told already; escape sequences are
stepped over, in a value too.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agents.detectors.forms import Form, blanked, half_of_json, half_of_terminal, plainly, set_aside
from agents.detectors.known import BEFORE, Strategy
from agents.detectors.scanner import TO_SEE, Hit, Scanner

MASK: Final = b"***"
LEFT: Final = 4
"""Characters at the end of a value that `partial` leaves, of one that has at least"""
LONG_ENOUGH: Final = 10
HASH_DIGITS: Final = 16
_END: Final = re.compile(rb"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_LONGEST_END: Final = 80


def masked(text: bytes, scanner: Scanner, form: Form = Form.TEXT) -> tuple[bytes, Counter[str]]:
    """A whole text without its values, and how many each detector has found."""
    masker = Masker(scanner, form)
    return masker.feed(text) + masker.end(), masker.counts


class Masker:
    """One text. `counts` says how many values each detector has found so far."""

    def __init__(self, scanner: Scanner, form: Form = Form.TEXT) -> None:
        self.counts: Counter[str] = Counter()
        self._scanner, self._form = scanner, form
        self._half = b""  # an escape that is not over
        # What was passed last, as far as it may be looked at again, and what is held back: as it came, and as it is looked at.
        self._raw = self._view = b""
        self._done = self._floor = 0  # where what is held back begins; where the last value has ended
        self._aside: list[tuple[int, bytes]] = []
        self._value: _Value | None = None  # one that goes on
        self._quoted = False  # whether what is held back begins in a JSON string

    def feed(self, data: bytes) -> bytes:
        """What may pass by now."""
        if not self._scanner:
            return data
        self._take(data)
        line = max(self._view.rfind(b"\n", self._done), self._view.rfind(b"\r", self._done)) + 1
        return self._moved(max(line, len(self._view) - TO_SEE, self._done), last=False)

    def flush(self) -> bytes:
        """What was held back: nobody waits for more."""
        self._raw, self._view, self._half = self._raw + self._half, self._view + self._half, b""
        return self._moved(len(self._view), last=False)

    def end(self) -> bytes:
        """The rest: nothing more comes."""
        self._raw, self._view, self._half = self._raw + self._half, self._view + self._half, b""
        return self._moved(len(self._view), last=True)

    def _take(self, data: bytes) -> None:
        data, self._half = self._half + data, b""
        view = data
        if self._form is Form.JSON and b"\\" in data:
            data, self._half = _parted(data, half_of_json(data))
            data = plainly(data)
            view = blanked(data)
        elif self._form is Form.FIT and b"\x1b" in data:
            data, self._half = _parted(data, half_of_terminal(data))
            data, aside = set_aside(data, len(self._view))
            self._aside += aside
            view = data
        self._raw += data
        self._view += view

    # ---- what passes ----
    def _moved(self, limit: int, *, last: bool) -> bytes:
        """What may pass: values that begin before `limit` are there whole."""
        out: list[bytes] = []
        hits: Sequence[Hit] | None = None
        number = 0
        while self._value is None or self._goes_on(self._value, out, last=last):
            hits = self._scanner.hits(self._view) if hits is None and limit > self._done else hits or ()
            while number < len(hits) and hits[number].start < max(self._floor, self._done):
                number += 1
            if number == len(hits) or hits[number].start >= limit:
                out.append(self._passed(max(limit, self._done)))
                if last:
                    out += [said for _, said in self._aside]
                    self._aside.clear()
                break
            self._begin(hits[number], out)
        self._forget()
        return b"".join(out)

    def _begin(self, hit: Hit, out: list[bytes]) -> None:
        out.append(self._passed(hit.start))
        self.counts[hit.detector.name] += 1
        self._value = _Value(hit, self._scanner)
        out.append(self._swallowed(self._value, hit.end))

    def _goes_on(self, value: _Value, out: list[bytes], *, last: bool) -> bool:
        """Take what follows of a value, and put something in its place once it is over; whether it is."""
        over = True
        if (going_on := value.hit.detector.going_on) is not None:
            upto = going_on.match(self._view, self._done).end()  # type: ignore[union-attr]  # it matches nothing too
            end = _END.search(self._view, self._done, upto) if value.is_block else None
            over = last or end is not None or upto < len(self._view)
            if end is not None:
                upto = end.end()
            elif not over and value.is_block:
                upto = max(self._done, upto - _LONGEST_END)
            out.append(self._swallowed(value, upto))
        if over:
            if self._form is not Form.FIT:
                out.append(value.instead() if self._form is Form.TEXT or self._quoted else b"null")
            self._value = None
        return over

    def _swallowed(self, value: _Value, upto: int) -> bytes:
        """Take a part of a value; what stands in its place already."""
        part = self._raw[self._done : upto]
        value.add(part)
        shown = value.fitting(part) if self._form is Form.FIT else b""
        laid = self._laid(shown, upto) if shown else b""
        self._done = self._floor = upto
        return laid

    def _passed(self, upto: int) -> bytes:
        """What is in no value, up to a place."""
        part = self._raw[self._done : upto]
        if self._form is Form.JSON:
            line = self._view.rfind(b"\n", self._done, upto)
            quotes = self._view.count(b'"', max(line, self._done), upto)
            self._quoted = bool(quotes % 2) ^ (self._quoted and line < self._done)
        if self._aside:
            part = self._laid(part, upto)
        self._done = upto
        return part

    def _laid(self, part: bytes, upto: int) -> bytes:
        """A part, with the escape sequences that stand in it where they stood."""
        pieces, at = [], self._done
        while self._aside and self._aside[0][0] < upto:
            place, said = self._aside.pop(0)
            pieces += [part[at - self._done : place - self._done], said]
            at = place
        return b"".join([*pieces, part[at - self._done :]])

    def _forget(self) -> None:
        """Keep of what has passed only what may be looked at again."""
        gone = self._done - BEFORE
        if gone > 0:
            self._raw, self._view = self._raw[gone:], self._view[gone:]
            self._done, self._floor = self._done - gone, max(0, self._floor - gone)
            self._aside = [(at - gone, said) for at, said in self._aside]


class _Value:
    """A value that was found, as far as what takes its place needs it."""

    def __init__(self, hit: Hit, scanner: Scanner) -> None:
        self.hit = hit
        self.is_block = hit.detector.name == "private_key"
        self._strategy = scanner.strategies[hit.detector.name]
        self._size = 0
        self._last = b""
        self._hash: hmac.HMAC | None = None
        if self._strategy is Strategy.HASH:
            self._hash = hmac.new(scanner.key, hit.detector.name.encode() + b"\0", "sha256")

    def add(self, part: bytes) -> None:
        """Some of it."""
        self._size += len(part)
        self._last = (self._last + part)[-LEFT:]
        if self._hash is not None:
            self._hash.update(part)

    def instead(self) -> bytes:
        """What takes its place."""
        if self._hash is not None:
            return f"{self.hit.detector.name}:{self._hash.hexdigest()[:HASH_DIGITS]}".encode()
        partly = self._strategy is Strategy.PARTIAL and self._size >= LONG_ENOUGH and self._last.isalnum()
        return MASK + (self._last if partly else b"")

    def fitting(self, part: bytes) -> bytes:
        """What takes the place of a part, as long as that."""
        ends = self.hit.detector.going_on is None
        partly = self._strategy is Strategy.PARTIAL and ends and self._size >= LONG_ENOUGH
        return b"*" * (len(part) - LEFT) + part[-LEFT:] if partly else b"*" * len(part)


def _parted(data: bytes, half: int) -> tuple[bytes, bytes]:
    return (data[:-half], data[-half:]) if half else (data, b"")
