"""The digest's canonical bytes: the quick way gives what RFC 8785 gives, and all that decides the meaning is in them."""

from __future__ import annotations

import json
import time
from typing import Any

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_id
from gateway.action import Caller
from gateway.postgres.catalog import Catalog, Column, Relation
from gateway.postgres.classify import classify
from gateway.postgres.names import Names
from gateway.postgres.reader import Reader
from gateway.postgres.upstream import Target

CATALOG = Catalog(
    "shop", ("pg_catalog", "public"),
    {("public", "t"): Relation(16384, "public", "t", "r", (Column("id", 1, 23),), "d" * 64)}, system_types=frozenset({"int4"}),
).with_tags({})  # fmt: skip


def _reader(agent: str = "a.production", settings: dict[str, str] | None = None, **target: Any) -> Reader:
    caller = Caller(new_id(), new_id(), new_id(), agent, new_id(), "shop", new_id(), time.time())
    where = {"host": "/x", "port": 5432, "database": "shop", "user": "u", "password": "p", **target}
    return Reader(caller, Target(new_id(), **where), Names(), {"timezone": "UTC"} if settings is None else settings)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00'")),
    st.dictionaries(st.sampled_from(["timezone", "datestyle"]), st.text(max_size=9), max_size=2),
)
def test_the_quick_way_is_canonical(word: str, settings: dict[str, str]) -> None:
    reader = _reader(settings=settings)
    classified = classify(f"SELECT id, '{word}' FROM t", CATALOG)
    found = reader.action(classified).canonical
    assert found == rfc8785.dumps(json.loads(found))
    assert json.loads(found)["sql"] == classified.sql
    assert json.loads(found)["session"]["settings"] == settings


def test_whatever_decides_the_meaning_changes_it() -> None:
    classified = classify("SELECT id FROM t WHERE id = $1", CATALOG)
    base = _reader().action(classified, ((23, 0, b"1"),)).canonical
    others = [
        _reader().action(classified, ((23, 0, b"2"),)),
        _reader().action(classified, ((20, 0, b"1"),)),
        _reader().action(classified, ((23, 1, b"1"),)),
        _reader().action(classified),
        _reader(agent="b.production").action(classified, ((23, 0, b"1"),)),
        _reader(settings={"timezone": "CET"}).action(classified, ((23, 0, b"1"),)),
        _reader(search_path="other").action(classified, ((23, 0, b"1"),)),
        _reader(role="r").action(classified, ((23, 0, b"1"),)),
        _reader().action(classify("SELECT id FROM t WHERE id  = $1", CATALOG), ((23, 0, b"1"),)),
    ]
    assert len({base, *(one.canonical for one in others)}) == len(others) + 1


def test_a_setting_that_changes_later_changes_it() -> None:
    reader = _reader()
    classified = classify("SELECT id FROM t", CATALOG)
    first = reader.action(classified).canonical
    reader.settings["timezone"] = "CET"
    assert reader.action(classified).canonical != first


def test_what_execute_and_fetch_mean_is_in_it() -> None:
    reader, other = _reader(), _reader()
    for one, text in ((reader, "PREPARE p AS SELECT id FROM t"), (other, "PREPARE p AS SELECT 1")):
        one.names.texts["p"] = text
    found = {one.action(classify("EXECUTE p", CATALOG, prepared=one.names.texts)).canonical for one in (reader, other)}
    assert len(found) == 2
