"""The log itself: entries, their Merkle tree, the sequencer, the signer and the verifier. It knows nobody."""
