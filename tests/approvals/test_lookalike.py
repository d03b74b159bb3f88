import pytest

from approvals.lookalike import find


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("region = '\u0415U'", ["U+0415"]),
        ("\u0441\u043e\u0440\u0430", ["U+0441", "U+043E", "U+0440", "U+0430"]),  # wholly Cyrillic, readable as Latin
        ("dr\u043ep", ["U+043E"]),
        ("a\u200bb", ["U+200B"]),
        ("a\u202eb", ["U+202E"]),
        ("a\u00a0b", ["U+00A0"]),
        ("1 \u2212 1", ["U+2212"]),
        ("\uff44rop", ["U+FF44"]),
        ("a\x08b", ["U+0008"]),
    ],
)
def test_what_passes_for_another_is_found(text: str, found: list[str]) -> None:
    assert [oddity.code_point for oddity in find(text)] == found


@pytest.mark.parametrize(
    "text", ["SELECT 1", "note = 'Привет'", "name = 'Zoë Müller'", "a\n\tb\r\n", "'東京'", "'Ωμέγα'"]
)
def test_honest_text_is_left_alone(text: str) -> None:
    assert find(text) == ()


def test_it_says_what_a_character_is() -> None:
    assert find("\u0415U")[0].says == "a Cyrillic \u0415 (U+0415), not a Latin E"
    assert find("a\u200bb")[0].says == "an invisible zero width space (U+200B)"
