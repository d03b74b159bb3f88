"""Every statement of the corpus gets what it deserves, and PostgreSQL agrees on what it is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import pq

from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import Classified
from gateway.postgres.classify import classify
from gateway.postgres.masking import MaskPlan, plan
from gateway.refusal import Refusal
from tests.gateway.sql.corpus import CORPUS, Case

CLEAR: frozenset[str] = frozenset()


def outcome(sql: str, catalog: Catalog) -> str:
    """What becomes of a statement of an agent for whom nothing is unmasked, in the corpus's words."""
    try:
        read = classify(sql, catalog)
        planned = plan(read, CLEAR)
    except Refusal as refusal:
        return f"refused {refusal.code}"
    masked = sorted(planned.columns.get(0, {}))
    return f"masked {' '.join(map(str, masked))}" if masked else read.verb


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.sql[:70].replace("\0", "NUL"))
def test_the_corpus(case: Case, catalog: Catalog) -> None:
    assert outcome(case.sql, catalog) == case.outcome, case.why


def test_the_corpus_is_large_and_holds_no_case_twice() -> None:
    assert len(CORPUS) >= 250
    assert len({case.sql for case in CORPUS}) == len(CORPUS)
    assert sum(case.outcome.startswith("refused") for case in CORPUS) >= 150


ACCEPTED = [case for case in CORPUS if not case.outcome.startswith("refused")]
PREPARABLE = [case for case in ACCEPTED if ";" not in case.sql]


@pytest.mark.parametrize("case", PREPARABLE, ids=lambda case: case.sql[:70])
def test_postgresql_reads_accepted_statements_as_the_gate_does(
    case: Case, catalog: Catalog, shop: psycopg.Connection[Any]
) -> None:
    """The server parses each; its columns are as many as the gate counted, and none with a tagged origin is unmasked."""
    read = classify(case.sql, catalog)
    planned = plan(read, CLEAR)
    prepared = shop.pgconn.prepare(b"", case.sql.encode())
    assert prepared.status == pq.ExecStatus.COMMAND_OK, prepared.error_message
    described = shop.pgconn.describe_prepared(b"")
    assert_same_columns(read, planned, described)


def assert_same_columns(read: Classified, planned: MaskPlan, described: Any) -> None:
    expected = read.statements[0].outputs
    if read.statements[0].kind in {"explain", "show"}:
        return  # utility statements are described when they run
    assert described.nfields == (expected or 0)
    fields = [
        (described.fname(index), described.ftable(index), described.ftablecol(index), described.ftype(index))
        for index in range(described.nfields)
    ]
    assert planned.check_row_description(fields) == dict(planned.columns.get(0, {})), "no surprise among the origins"


def test_unmasking_lets_a_refused_use_through(catalog: Catalog) -> None:
    read = classify("SELECT lower(email) FROM customers", catalog)
    assert plan(read, frozenset({"email"})).columns == {}
    with pytest.raises(Refusal):
        plan(read, frozenset({"ssn"}))


def test_unmasking_everything_makes_a_call_clear_enough(catalog: Catalog) -> None:
    read = classify("SELECT all_emails()", catalog)
    everything = frozenset(tag.name for tag in catalog.tags.values())
    assert plan(read, everything).columns == {}
    with pytest.raises(Refusal):
        plan(read, everything - {"email"})
