"""Texts read before, but for whole numbers that something is compared with. Pure.

A text without quotes, dollars, backslashes and comments is a row of plain tokens. A whole number of at most nine digits
right after a comparison's operator is an operand there, of type integer whatever its value; so two such texts that
differ in nothing else have the same tree but for those values, and a reading in which no constant is of interest is
the reading of both. Positions (`ORDER BY 2`), lengths (`varchar(9)`) and all other numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields

from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import SELECT, Classified

MOST = 2_000
"""Readings kept for one catalog."""
LONGEST = 2_000
"""Characters of a text that is remembered."""

_NOT_PLAIN = re.compile(r"""['"$\\\x00]|--|/\*|[^\x00-\x7f]""")
_COMPARED = re.compile(r"([=<>]\s*)[0-9]{1,9}(?![\w.])", re.ASCII)


class Remembered:
    """Readings by one catalog, and by no other."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._readings: dict[str, Mapping[str, object]] = {}

    def find(self, sql: str) -> Classified | None:
        """The reading of a text like one that was kept, as if it had been read itself."""
        key = _key(sql)
        known = self._readings.get(key) if key is not None else None
        return None if known is None else _said_of(sql, known)

    def keep(self, classified: Classified) -> None:
        """Remember a reading, where it says nothing that could depend on a constant."""
        key = _key(classified.sql)
        if key is None or not _is_plain_read(classified) or classified.catalog is not self.catalog:
            return
        if len(self._readings) >= MOST:
            self._readings.clear()
        known = {one.name: getattr(classified, one.name) for one in fields(Classified)}
        self._readings[key] = known | {"shape": classified.shape}  # a fingerprint leaves constants out


def _key(sql: str) -> str | None:
    """What texts of one reading have in common; None for a text that is always read."""
    if len(sql) > LONGEST or _NOT_PLAIN.search(sql):
        return None
    return "\0".join(_COMPARED.split(sql))


def _is_plain_read(classified: Classified) -> bool:
    of_data = classified.tags or classified.tag_uses or classified.tagged_parameters or classified.masked
    unclear = classified.outputs_unclear or classified.redact or classified.why_call
    alone = len(classified.statements) == 1 and classified.statements[0].kind == "select"
    return alone and classified.verbs == {SELECT} and not of_data and not unclear


def _said_of(sql: str, known: Mapping[str, object]) -> Classified:
    said = object.__new__(Classified)  # `replace` for each statement would cost as much as half a reading
    values = said.__dict__
    values.update(known)
    values["sql"] = values["shown"] = sql  # no constant of a remembered text is hidden
    return said
