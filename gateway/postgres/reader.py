"""Step 2 for PostgreSQL: turns a text and its parameters into an `Action` whose digest covers all that it means."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring

from activity.digest import SALT_BYTES, canonical, digest
from core.ids import RANDOM_BYTES, id_text, new_id
from gateway.action import SHARED_VERBS, Action, Caller
from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import SESSION, Classified
from gateway.postgres.classify import classify
from gateway.postgres.describe import redacted
from gateway.postgres.names import Names
from gateway.postgres.upstream import Target
from gateway.refusal import Refusal
from ledger.entries import canonical as canonical_json

Parameters = tuple[tuple[int, int, bytes | None], ...]
"""Type OID, format and bytes of each parameter."""
LONG_TEXT = 65_536
"""Characters above which a text is not read on the event loop."""
UNKNOWN_VERB = "unknown"
ONLY_SESSION = frozenset({SESSION})
NO_TAGS = frozenset[str]()
LONGEST_SHOWN = 20_000
"""Characters of a text in the record; the digest covers all of it."""
USES_NAMES = frozenset({"execute", "fetch", "move"})


@dataclass
class Reader:
    """Reads the texts of one session. `settings` are those that change the meaning of a constant, as they are now."""

    caller: Caller
    target: Target
    names: Names
    settings: dict[str, str]
    number: int = 0
    _settings_then: tuple[str, ...] | None = None
    _front: str = ""
    _middle: str = ""

    async def classify(self, sql: str, catalog: Catalog, types: Sequence[int] = ()) -> Classified:
        """What a text does; a long one is read beside the loop. Raises Refusal."""
        if len(sql) <= LONG_TEXT:
            return classify(sql, catalog, prepared=self.names.texts, cursors=self.names.cursors, parameter_types=types)
        names = {"prepared": dict(self.names.texts), "cursors": dict(self.names.cursors)}
        return await asyncio.to_thread(classify, sql, catalog, **names, parameter_types=types)

    def action(
        self, classified: Classified, parameters: Parameters = (), *, salt: bytes = b"", number: int = 0
    ) -> Action:
        """The action of running a classified text once. A salt is made where none is given, and a number taken."""
        if not number:
            self.number = number = self.number + 1
        random = os.urandom(SALT_BYTES + RANDOM_BYTES)
        salt = salt or random[RANDOM_BYTES:]
        covered = self._canonical(classified, parameters)
        verbs = classified.verbs or ONLY_SESSION
        shared = verbs <= SHARED_VERBS
        return Action(  # by place: names would cost as much as all else here
            id_text(random[:RANDOM_BYTES]),
            number,
            classified.verb,
            _shown(classified, parameters),
            covered,
            salt,
            digest(covered, salt),
            datetime.now(UTC),
            verbs,
            classified.tables,
            classified.columns,
            classified.tags,
            classified.shape,
            "" if shared else classified.summary,
            classified.has_where,
            shared,
            tagged=classified.tagged if classified.tag_uses else NO_TAGS,
        )

    def unread(self, sql: str) -> Action:
        """The action of a text that was refused before it was understood: every constant in it is hidden."""
        self.number += 1
        salt = os.urandom(SALT_BYTES)
        covered = canonical(self._says(sql, [], []))
        shown = redacted(sql)[:LONGEST_SHOWN]
        return Action(
            str(new_id()), self.number, UNKNOWN_VERB, shown, covered, salt, digest(covered, salt), datetime.now(UTC)
        )

    def _canonical(self, classified: Classified, parameters: Parameters) -> bytes:
        uses_names = any(statement.kind in USES_NAMES for statement in classified.statements)
        if not parameters and not uses_names:
            return self._plain_canonical(classified)
        given = [[oid, form, None if value is None else value.hex()] for oid, form, value in parameters]
        says = self._says(classified.sql, given, classified.names)
        if uses_names:
            says["prepared"], says["cursors"] = dict(self.names.texts), dict(self.names.cursors)
        return canonical(says)

    def _plain_canonical(self, classified: Classified) -> bytes:
        """The same bytes as `canonical` would give, put together from parts that seldom change."""
        session = tuple(self.settings.values())
        if session != self._settings_then:
            says = self._says("", [], [])
            self._middle, self._front = (
                canonical({name: says[name] for name in names}).decode()[1:-1]
                for names in (("on_behalf_of", "parameters", "resource", "session"), ("agent",))
            )
            self._settings_then = session
        names, sql = _names(classified.names), encode_basestring(classified.sql)
        return f'{{{self._front},"names":{names},{self._middle},"sql":{sql}}}'.encode()

    def _says(
        self, sql: str, parameters: Sequence[Sequence[object]], names: Sequence[Sequence[object]]
    ) -> dict[str, object]:
        return {
            "agent": self.caller.agent,
            "names": [list(name) for name in names],
            "on_behalf_of": str(self.caller.on_behalf_of or ""),
            "parameters": parameters,
            "resource": self.caller.resource,
            "session": {
                "database": self.target.database,
                "role": self.target.role or self.target.user,
                "search_path": self.target.search_path,
                "settings": dict(self.settings),
            },
            "sql": sql,
        }


@lru_cache(1_024)
def _names(names: tuple[tuple[str, int, str], ...]) -> str:
    return canonical_json([list(name) for name in names]).decode()


def _shown(classified: Classified, parameters: Parameters) -> str:
    """The text with its parameters below it; none of their values where tagged data takes part."""
    if not parameters:
        return classified.shown[:LONGEST_SHOWN]
    hidden = bool(classified.tags) or classified.outputs_unclear
    values = [_value(form, value, hidden=hidden) for _, form, value in parameters]
    lines = [f"-- ${index} = {value}" for index, value in enumerate(values, 1)]
    return f"{classified.shown}\n{chr(10).join(lines)}"[:LONGEST_SHOWN]


def _value(form: int, value: bytes | None, *, hidden: bool) -> str:
    if value is None:
        return "NULL"
    if hidden:
        return "***"
    return value.decode(errors="replace")[:200] if form == 0 else f"\\x{value[:100].hex()}"


def unclassified(refusal: Refusal) -> bool:
    """Whether a refusal may come from a catalog that is out of date."""
    return refusal.sqlstate == "42P01"


def pinned(parameters: Mapping[str, str]) -> dict[str, str]:
    """The settings that change the meaning of constants, among those a server reports."""
    return {name.lower(): parameters[name] for name in ("DateStyle", "IntervalStyle", "TimeZone") if name in parameters}
