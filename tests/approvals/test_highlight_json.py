"""Operations and requests are coloured as JSON; what is shown is still exactly the text."""

from __future__ import annotations

import pytest

from approvals.highlight import lines

CALL = 'payments.transfer {\n  "amount": -12.5,\n  "to": "a \\" -- b",\n  "ok": true,\n  "secret": "***"\n}'


@pytest.mark.parametrize("head", ["payments.transfer {", "POST /v1/transfers?x=1"])
def test_values_are_coloured_and_nothing_else(head: str) -> None:
    text = CALL.replace("payments.transfer {", head)
    found = lines(text)
    assert "\n".join("".join(piece.text for piece in line.pieces) for line in found) == text
    kinds = {piece.text: piece.kind for line in found for piece in line.pieces if piece.kind}
    assert kinds == {"-12.5": "number", '"a \\" -- b"': "string", "true": "keyword", '"***"': "masked"}


def test_sql_is_still_read_as_sql() -> None:
    kinds = {piece.kind for line in lines("SELECT 'a' -- b\nFROM t") for piece in line.pieces}
    assert kinds >= {"keyword", "string", "comment"}
