import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.proof_path import levels_of
from audit.replay import IDLE, places_of
from ledger import merkle

TIMES = st.lists(st.floats(0, 5000), max_size=30).map(sorted)


@given(TIMES, st.floats(0, 1000))
def test_places_go_forward_from_0_to_100(times: list[float], tail: float) -> None:
    length = (times[-1] if times else 0.0) + tail + 1
    places, gaps = places_of(times, length)
    assert places == sorted(places)
    assert all(0 <= place <= 100 + 1e-9 for place in places)
    assert all(gap.seconds > IDLE and gap.begins <= gap.ends for gap in gaps)


def test_silence_is_shortened_and_told() -> None:
    places, gaps = places_of([1, 2, 602, 603], 604)
    assert [gap.seconds for gap in gaps] == [600]
    assert places[2] - places[1] < 70


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100])
def test_the_drawn_path_leads_to_the_root(size: int) -> None:
    leaves = [f"leaf {number}".encode() for number in range(size)]
    root = merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])
    span_hash = merkle.span_hash_of([merkle.leaf_hash(leaf) for leaf in leaves])
    for index, leaf in enumerate(leaves):
        hashes = [span_hash(span) for span in merkle.inclusion_spans(index, size)]
        levels, reached = levels_of(index, size, leaf, hashes)
        assert reached == root.hex()
        assert len(levels) == len(hashes)
