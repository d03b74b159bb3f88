"""Answers that are made while they are sent: no part of an export lies in memory whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from core.cells import Value, csv_lines


def streamed(parts: Iterator[bytes], *, name: str, kind: str) -> StreamingHttpResponse:
    """`parts` as a file to keep, of the media type `kind`."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_sent(parts), content_type=kind, headers=headers)


def csv_file(name: str, header: Iterable[str], rows: Iterable[Iterable[Value]]) -> StreamingHttpResponse:
    """A table as a CSV file in which nothing that anybody typed is a formula."""
    parts = (piece.encode() for piece in csv_lines(header, rows))
    return streamed(parts, name=name, kind="text/csv; charset=utf-8")


async def _sent(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """`parts` one by one, each made in a thread: neither the loop waits nor does the file lie in memory."""
    while (part := await sync_to_async(_next_of)(parts)) is not None:
        yield part


def _next_of(parts: Iterator[bytes]) -> bytes | None:
    return next(parts, None)
