"""A witness of logs: C2SP tlog-witness. It cosigns a checkpoint that continues what it saw before, and no other.

What it saw is in files, one a log: the last checkpoint that it cosigned, with its own signature. An answer is given only
after that file is safely on disk. Knows no Django: `narrowgate witness` runs it on a machine of its own.
"""

from __future__ import annotations

import fcntl
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Self

from core.errors import NarrowgateError
from core.files import write_public
from ledger.checkpoint import (
    COSIGNER,
    LARGEST_NOTE,
    Checkpoint,
    NoteError,
    VerifierKey,
    from_base64,
    parse_body,
    signature_line,
    split_note,
    verified_text,
)  # fmt: skip
from ledger.cosignature import cosign, cosignatures
from ledger.merkle import EMPTY_ROOT, HASH_SIZE, ProofError, verify_consistency
from ledger.signer import Signer

LARGEST_REQUEST: Final = LARGEST_NOTE + 4_096
"""Bytes of a request: a note and a proof."""
LONGEST_PROOF: Final = 63
MOST_KEPT: Final = 100
"""Checkpoints of a log kept as evidence that it forked."""
PLAIN: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"
CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says: an HTTP status, a text, its media type."""

    status: int
    text: str
    kind: str = PLAIN


class Refusal(Exception):
    """A request that is not granted, with its answer."""

    def __init__(self, status: int, sentence: str, kind: str = PLAIN) -> None:
        super().__init__(sentence)
        self.answer = Answer(status, f"{sentence}\n", kind)


@dataclass(frozen=True, slots=True)
class Request:
    """An add-checkpoint request, taken apart."""

    old: int
    proof: list[bytes]
    note: str
    checkpoint: Checkpoint


class Witness:
    """Holds its folder until it is closed. `logs` are the verifier keys that it accepts; keys of one name are of one log."""

    def __init__(
        self, folder: Path, signer: Signer, logs: Iterable[VerifierKey], clock: Callable[[], float] = time.time
    ) -> None:
        self._folder, self._signer, self._clock = folder, signer, clock
        self.key = VerifierKey(signer.key.name, signer.key.public, COSIGNER)
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._one = threading.Lock()
        self._lock = _hold(folder)
        try:
            self._seen = {origin: self._read(origin) for origin in self._logs}
        except NarrowgateError:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._lock.close()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign the checkpoint of a request, or say why not. Never raises for what a client sends."""
        try:
            request = read_request(body)
            with self._one:
                return self._add(request)
        except Refusal as refusal:
            return refusal.answer

    def checkpoint(self, origin_hash: str) -> Answer:
        """The last checkpoint that was cosigned of a log, by the SHA-256 of its origin in hexadecimal."""
        for origin in self._logs:
            path = self._path(origin)
            if path.parent.name == origin_hash and path.exists():
                return Answer(200, path.read_text(encoding="utf-8"))
        return Answer(404, "No checkpoint of such a log was cosigned here.\n")

    def _add(self, request: Request) -> Answer:
        """The checks in the order of the specification, then the record, then the answer."""
        new = request.checkpoint
        signatures = self._require_signed(request)
        if request.old > new.size:
            raise Refusal(400, "The old size is larger than the checkpoint's.")
        seen = self._seen[new.origin]
        if request.old != seen.size:
            raise Refusal(409, str(seen.size), SIZE)
        try:
            _require_continued(request, seen)
        except ProofError as error:
            self._keep_evidence(request)
            raise Refusal(422, f"The checkpoint does not continue the one seen before: {error}") from None
        line = cosign(new.body(), self.key, self._signer.sign, int(self._clock()))
        write_public(self._path(new.origin), f"{split_note(request.note)[0]}\n{signatures}{line}".encode())
        self._seen[new.origin] = new
        return Answer(200, line)

    def _require_signed(self, request: Request) -> str:
        """The log's own signatures, as lines. A line by a trusted key that does not hold spoils the note."""
        keys = self._logs.get(request.checkpoint.origin)
        if keys is None:
            raise Refusal(404, "This witness does not know that log.")
        by_log = ""
        for key in keys:
            for name, key_id, data in split_note(request.note)[1]:
                if (name, key_id) == (key.name, key.key_id):
                    try:
                        verified_text(request.note, key)
                    except NoteError as error:
                        raise Refusal(403, str(error)) from None
                    by_log += signature_line(key, data)
        if not by_log:
            raise Refusal(403, "The checkpoint has no signature by a key of that log.")
        return by_log

    def _keep_evidence(self, request: Request) -> None:
        """Keep a checkpoint that the log signed and that does not continue: two such are proof that it forked."""
        folder = self._path(request.checkpoint.origin).parent / "inconsistent"
        path = folder / f"{request.checkpoint.size}-{request.checkpoint.root.hex()[:16]}"
        if not path.exists() and (not folder.exists() or len(list(folder.iterdir())) < MOST_KEPT):
            write_public(path, request.note.encode())

    def _path(self, origin: str) -> Path:
        return self._folder / sha256(origin.encode()).hexdigest() / "checkpoint"

    def _read(self, origin: str) -> Checkpoint:
        """What was cosigned last of a log. Raises NarrowgateError for a file that is not as this witness left it."""
        path = self._path(origin)
        if not path.exists():
            return Checkpoint(origin, 0, EMPTY_ROOT)
        try:
            note = path.read_text(encoding="utf-8")
            if cosignatures(note, [self.key]) and (found := parse_body(split_note(note)[0])).origin == origin:
                return found
        except (NoteError, ValueError):
            pass
        raise NarrowgateError(
            f"The witness's record {path} is damaged, or is another key's.",
            "A witness that forgot what it saw must not sign: restore the file, or begin anew with another key.",
        )


def _hold(folder: Path) -> IO[str]:
    """Take the folder, which is made where missing. Raises NarrowgateError when another witness has it."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (folder / "lock").open("a", encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"The witness's folder {folder} cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise NarrowgateError(
            f"Another witness already runs on the folder {folder}.", "Two would contradict."
        ) from None
    return lock


def read_request(body: bytes) -> Request:
    """Take an add-checkpoint request apart. Raises Refusal (400) for one that is malformed."""
    if len(body) > LARGEST_REQUEST:
        raise Refusal(400, f"The request is longer than {LARGEST_REQUEST} bytes.")
    try:
        return _read(body.decode())
    except UnicodeDecodeError:
        raise Refusal(400, "The request is not UTF-8.") from None
    except NoteError as error:
        raise Refusal(400, f"The request is malformed: {error}") from None


def _read(text: str) -> Request:
    head, separator, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    old = re.fullmatch(r"old (0|[1-9][0-9]{0,18})", first)
    if CONTROL.search(text) or not separator or old is None:
        raise NoteError("It needs a line 'old SIZE', the proof's hashes a line each, an empty line, and a checkpoint.")
    proof = [from_base64(line) for line in lines]
    if len(proof) > LONGEST_PROOF or any(len(part) != HASH_SIZE for part in proof):
        raise NoteError("A proof has at most 63 hashes of 32 bytes.")
    return Request(int(old[1]), proof, note, parse_body(split_note(note)[0]))


def _require_continued(request: Request, seen: Checkpoint) -> None:
    """Raises ProofError unless the request's checkpoint is proved to continue `seen`."""
    new = request.checkpoint
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise ProofError("An empty log has another root.")
    if seen.size == 0:
        if request.proof:
            raise ProofError("From an empty log there is nothing to prove.")
        return
    verify_consistency(seen.size, new.size, seen.root, new.root, request.proof)
