"""How much a held statement would touch: counted where that is safe, else the planner's estimate, called so.

A login that may only SELECT, a transaction that is READ ONLY, two seconds, a tenth of one for locks; once per hold.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

import structlog

from agents.detectors.scanner import Scanner
from gateway.postgres.classified import Classified
from gateway.postgres.fetching import FetchError, Fetching
from gateway.postgres.reader import Parameters
from gateway.postgres.resources import Keeper
from gateway.postgres.upstream import UpstreamError
from gateway.postgres.values import known_text

BEGIN = "BEGIN READ ONLY; SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '100ms'"
log = structlog.get_logger()


async def estimate(keeper: Keeper, classified: Classified, parameters: Parameters) -> Mapping[str, object] | None:
    """`{"rows", "of", "table", "exact", "ms", "sample"}` of what it would touch; None where nobody can tell.

    `sample`, of a few of the rows, is `{"columns", "hidden", "rows", "more"}`, and None where they cannot be read.
    """
    try:
        connection = await keeper.fetching()
    except UpstreamError as error:
        log.warning("estimate_failed", error=error.message)
        return None
    try:
        counted = await _counted(connection, classified, parameters)
        if counted is None:
            return await _planned(connection, classified, parameters)
        return {**counted, "sample": await _sampled(connection, classified, parameters, keeper.detecting().scanner)}
    finally:
        connection.close()


async def planned(keeper: Keeper, classified: Classified, parameters: Parameters) -> int | None:
    """The rows that the planner expects it to touch; None where it cannot say."""
    if classified.explain is None:
        return None
    try:
        connection = await keeper.fetching()
    except UpstreamError as error:
        log.warning("estimate_failed", error=error.message)
        return None
    try:
        found = await _planned(connection, classified, parameters)
    finally:
        connection.close()
    return int(str(found["rows"])) if found else None


async def _counted(connection: Fetching, classified: Classified, parameters: Parameters) -> Mapping[str, object] | None:
    counting = classified.counting
    if counting is None:
        return None
    chosen = _chosen(counting.parameters, parameters)
    began = time.monotonic()
    rows = await _read_only(connection, counting.sql, chosen)
    if not rows or rows[0][0] is None:
        return None
    total = await _read_only(connection, f"SELECT count(*) FROM {_quoted(counting.table)}", ())  # noqa: S608 -- quoted
    return {
        "rows": int(rows[0][0]),
        "of": int(total[0][0]) if total and total[0][0] is not None else None,
        "table": counting.table,
        "exact": True,
        "ms": round((time.monotonic() - began) * 1000),
    }


async def _sampled(
    connection: Fetching, classified: Classified, parameters: Parameters, scanner: Scanner
) -> Mapping[str, object] | None:
    how = classified.sampling
    if how is None:
        return None
    rows = await _read_only(connection, how.sql, _chosen(how.parameters, parameters))
    if not rows:
        return None
    return {
        "columns": list(how.columns),
        "hidden": [name for name in how.columns if name in how.hidden],
        "rows": how.shown(rows, scanner),
        "more": how.more,
    }


def _chosen(numbers: Sequence[int], parameters: Parameters) -> Parameters:
    return tuple(parameters[number - 1] for number in numbers if number <= len(parameters))


async def _planned(connection: Fetching, classified: Classified, parameters: Parameters) -> Mapping[str, object] | None:
    text = classified.explain
    if text is None:
        return None
    rows = await _read_only(connection, text, parameters)
    if not rows:
        return None
    plan = json.loads("\n".join(str(row[0]) for row in rows))[0]["Plan"]
    inner = plan.get("Plans", [plan])[0] if plan.get("Node Type") == "ModifyTable" else plan
    table = min(classified.tables, default="")
    return {"rows": int(inner.get("Plan Rows", 0)), "of": None, "table": table, "exact": False, "ms": None}


async def _read_only(connection: Fetching, sql: str, parameters: Parameters) -> Sequence[tuple[str | None, ...]]:
    """The rows of one text in a transaction of its own; none where it fails or a parameter has no text form."""
    arguments = _arguments(parameters)
    if arguments is None:
        return ()
    try:
        await connection.fetch(BEGIN)
        if not arguments:
            return await connection.fetch(sql)
        await connection.fetch(f"PREPARE counted AS {sql}")
        return await connection.fetch(f"EXECUTE counted({', '.join(arguments)})")
    except FetchError as error:
        log.info("estimate_failed", sqlstate=error.sqlstate)
        return ()
    finally:
        await _end(connection, bool(arguments))


async def _end(connection: Fetching, prepared: bool) -> None:
    try:
        await connection.fetch("ROLLBACK")
        if prepared:
            await connection.fetch("DEALLOCATE ALL")
    except FetchError as error:
        log.info("estimate_failed", sqlstate=error.sqlstate)


def _arguments(parameters: Parameters) -> list[str] | None:
    """Parameters as literals of unknown type; None where one is of a binary form not known here."""
    literals = []
    for oid, form, value in parameters:
        text = None if value is None else known_text(value, oid, form)
        if value is None:
            literals.append("NULL")
        elif text is None or "\x00" in text:
            return None
        else:
            literals.append("'" + text.replace("'", "''") + "'")
    return literals


def _quoted(table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split(".", 1))
