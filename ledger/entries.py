"""What an entry says, as the canonical bytes that become a leaf (RFC 8785). Pure: no Django, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring as _quoted
from types import MappingProxyType
from uuid import UUID

import rfc8785

from ledger import merkle
from ledger.events import Event, schema_of

LARGEST_INTEGER = 2**53 - 1  # beyond it RFC 8785 numbers are not exact
LONGEST_LEAF = 65_535  # bytes: C2SP tlog-tiles gives an entry's length two bytes
PERSON = "person"  # the kind of an actor or subject whose name is kept beside the log
NO_NAMES: Mapping[tuple[str, str], str] = MappingProxyType({})

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as they were then: kind (person, agent, gateway, system), identifier, name."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What it was done to, as it was then: kind (the design's word for it), identifier, name."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry before it has a number. `occurred` must know its time zone; `details` holds JSON values."""

    id: UUID
    event: Event
    actor: Actor
    subject: Subject
    occurred: datetime
    details: Mapping[str, object] = field(default_factory=dict)
    session: UUID | str | None = None
    action: UUID | str | None = None
    digest: str | None = None
    policy_version: int | None = None
    source: str | None = None
    on_behalf_of: Actor | None = None


def leaf(
    draft: Draft, *, node: str, node_seq: int, recorded: datetime, names: Mapping[tuple[str, str], str] = NO_NAMES
) -> bytes:
    """The leaf's bytes; `names` has what stands for the name of a person, by identifier and name.

    Raises ValueError for details that JSON cannot say, or more than LONGEST_LEAF bytes.
    """
    # Written out in the order of RFC 8785, because every entry pays for it: a property test holds this against an encoder
    text = "".join((
        "{",
        _text("action", draft.action),
        f'"actor":{_named(draft.actor, names)},',
        f'"details":{_json(dict(draft.details))},' if draft.details else "",
        _text("digest", draft.digest),
        f'"event":"{draft.event.value}","id":"{draft.id}","node":{_quoted(node)},"node_seq":{node_seq},',
        f'"occurred":"{timestamp(draft.occurred)}",',
        f'"on_behalf_of":{_named(draft.on_behalf_of, names)},' if draft.on_behalf_of else "",
        f'"policy_version":{draft.policy_version},' if draft.policy_version is not None else "",
        f'"recorded":"{timestamp(recorded)}","schema":{schema_of(draft.event)},',
        _text("session", draft.session),
        _text("source", draft.source),
        f'"subject":{_named(draft.subject, names)}}}',
    ))  # fmt: skip
    data = text.encode()
    if len(data) > LONGEST_LEAF:
        raise ValueError(f"An entry of {len(data)} bytes is too long; {LONGEST_LEAF} are allowed.")
    return data


def _text(name: str, value: UUID | str | None) -> str:
    return "" if value is None else f'"{name}":{_quoted(str(value))},'


def _named(who: Actor | Subject, names: Mapping[tuple[str, str], str]) -> str:
    name = names.get((who.id, who.name), who.name) if who.kind == PERSON else who.name
    return _who(str(who.id), who.kind, name)


@lru_cache(maxsize=1_024)
def _who(identifier: str, kind: str, name: str) -> str:
    return f'{{"id":{_quoted(identifier)},"kind":{_quoted(kind)},"name":{_quoted(name)}}}'


def _json(value: object) -> str:
    return _encode(value) if _is_plain(value) else canonical(value).decode()


@lru_cache(maxsize=16)  # entries of a batch share theirs
def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds; every one has the same length, so text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("A time in the ledger must know its time zone.")
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{in_utc.isoformat(timespec='microseconds')[:-6]}Z"


def canonical(value: object) -> bytes:
    """RFC 8785 bytes of a JSON value.

    What the common case needs is also what the standard library's C encoder writes, at a sixth of the
    cost; anything else (fractions, keys beyond ASCII) goes to rfc8785.
    """
    if _is_plain(value):
        return _encode(value).encode()
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it refuses what is not JSON, in its own words
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"An entry cannot say this: {error}") from error


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER  # type: ignore[operator]  # it is an int
    if isinstance(value, dict):
        for key, part in value.items():  # written out: a generator costs twice as much
            if type(key) is not str or not key.isascii() or not (type(part) is str or _is_plain(part)):
                return False
        return True
    return kind in {list, tuple} and all(map(_is_plain, value))  # type: ignore[call-overload]  # it is a sequence


def commit_text(text: str, salt: bytes) -> str:
    """A commitment to a text that stays outside the leaf; without the salt it cannot be guessed."""
    return f"sha256:{sha256(salt + text.encode()).hexdigest()}"


def shared_details(records: Sequence[bytes]) -> dict[str, object]:
    """The details of one entry for several actions: their number, and the Merkle root over their records' bytes."""
    tree = merkle.root(merkle.leaf_hash(record) for record in records)
    return {"count": len(records), "root": f"sha256:{tree.hex()}"}
