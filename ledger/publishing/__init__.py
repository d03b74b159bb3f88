"""Checkpoints on their way out: to witnesses, a folder, a store, a time-stamp authority, and as tiles to everybody."""
