from hypothesis import given
from hypothesis import strategies as st

from approvals.highlight import cautions, lines, plain


def _kinds(sql: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for line in lines(sql) for piece in line.pieces if piece.kind]


def _text(sql: str) -> str:
    return "\n".join("".join(piece.text for piece in line.pieces) for line in lines(sql))


def test_keywords_literals_comments_and_masks_are_told_apart() -> None:
    assert _kinds("SELECT 1 -- x\nWHERE a = 'b' AND c = '***'") == [
        ("keyword", "SELECT"),
        ("number", "1"),
        ("comment", "-- x"),
        ("keyword", "WHERE"),
        ("string", "'b'"),
        ("keyword", "AND"),
        ("masked", "'***'"),
    ]


def test_a_look_alike_inside_a_literal_is_a_piece_of_its_own_and_tints_its_line() -> None:
    first, second = lines("SELECT 1\nFROM \u0441ustomers")
    assert not first.warn
    assert second.warn
    assert cautions("SELECT 1\nFROM \u0441ustomers") == ["Line 2 holds a Cyrillic \u0441 (U+0441), not a Latin c."]


def test_what_draws_nothing_is_shown_as_its_code_point() -> None:
    assert [piece.shown for piece in plain("a\u200bb")] == ["a", "U+200B", "b"]


@given(st.text(max_size=80))
def test_every_text_is_shown_whole_whatever_it_is(text: str) -> None:
    assert _text(text) == text


@given(
    st.lists(
        st.sampled_from(["SELECT", " ", "'", '"', "$1", "--", "\n", "é", "\u0415", "1.5", "/*", "*/", "***"]),
        max_size=20,
    )
)
def test_every_text_like_sql_is_shown_whole(parts: list[str]) -> None:
    assert _text("".join(parts)) == "".join(parts)
