"""The Merkle tree on random trees, beside the recursive definitions of RFC 9162 section 2.1."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle

leaves = st.integers(1, 70).map(lambda size: [merkle.leaf_hash(str(i).encode()) for i in range(size)])


def mth(hashes: list[bytes]) -> bytes:
    """The definition: MTH(D[n]) = HASH(0x01 || MTH(D[0:k]) || MTH(D[k:n]))."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def test_the_empty_tree() -> None:
    assert merkle.root([]) == sha256(b"").digest()


@given(leaves)
def test_root_is_the_definition(hashes: list[bytes]) -> None:
    assert merkle.root(hashes) == mth(hashes)


@given(leaves, st.data())
def test_a_compact_range_can_be_put_away_and_continued(hashes: list[bytes], data: st.DataObject) -> None:
    stop = data.draw(st.integers(0, len(hashes)))
    first = merkle.CompactRange()
    for leaf in hashes[:stop]:
        first.append(leaf)
    second = merkle.CompactRange(first.size, first.hashes)
    for leaf in hashes[stop:]:
        second.append(leaf)
    assert second.root() == mth(hashes)


def test_a_compact_range_with_the_wrong_number_of_hashes_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 hashes"):
        merkle.CompactRange(5, [merkle.EMPTY_ROOT])


@given(leaves, st.data())
def test_inclusion_is_proved_and_nothing_else(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    span_hash = merkle.span_hash_of(hashes)
    proof = [span_hash(span) for span in merkle.inclusion_spans(index, len(hashes))]
    merkle.verify_inclusion(index, len(hashes), hashes[index], proof, mth(hashes))
    with pytest.raises(merkle.ProofError):
        merkle.verify_inclusion(index, len(hashes), merkle.leaf_hash(b"other"), proof, mth(hashes))
    with pytest.raises(merkle.ProofError):
        merkle.verify_inclusion(index, len(hashes), hashes[index], [*proof, hashes[0]], mth(hashes))
    if len(hashes) > 1:
        other = (index + 1) % len(hashes)
        with pytest.raises(merkle.ProofError):
            merkle.verify_inclusion(other, len(hashes), hashes[index], proof, mth(hashes))


@given(leaves, st.data())
def test_consistency_is_proved_and_nothing_else(hashes: list[bytes], data: st.DataObject) -> None:
    newer = len(hashes)
    older = data.draw(st.integers(1, newer))
    span_hash = merkle.span_hash_of(hashes)
    proof = [span_hash(span) for span in merkle.consistency_spans(older, newer)]
    merkle.verify_consistency(older, newer, mth(hashes[:older]), mth(hashes), proof)
    with pytest.raises(merkle.ProofError):
        merkle.verify_consistency(older, newer, merkle.EMPTY_ROOT, mth(hashes), proof)
    with pytest.raises(merkle.ProofError):
        merkle.verify_consistency(older, newer, mth(hashes[:older]), merkle.EMPTY_ROOT, proof)


@given(leaves, st.data())
def test_any_subtree_folds_from_perfect_ones(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))

    def perfect(span: merkle.Span) -> bytes:
        width = span.end - span.begin
        assert width.bit_count() == 1
        assert span.begin % width == 0
        return merkle.root(hashes[span.begin : span.end])

    for span in merkle.inclusion_spans(index, len(hashes)):
        assert merkle.fold(span, perfect) == merkle.root(hashes[span.begin : span.end])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(merkle.ProofError):
        merkle.inclusion_spans(index, size)


@pytest.mark.parametrize(("older", "newer"), [(0, 3), (4, 3), (0, 0)])
def test_a_tree_that_is_no_continuation_has_no_proof(older: int, newer: int) -> None:
    with pytest.raises(merkle.ProofError):
        merkle.consistency_spans(older, newer)
