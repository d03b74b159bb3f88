"""Checks the ledger every few seconds, so that the posture page need not: how it stands, and whether it verifies."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from core.db import db_now
from ledger.models import Entry
from ledger.proving import BROKEN, Proof, Prover
from ledger.queries import state
from monitoring.models import LedgerCheck

EVERY: Final = timedelta(seconds=5)


@transaction.atomic
def turn() -> None:
    """Check it, if nobody has lately."""
    now = db_now()
    row = LedgerCheck.objects.select_for_update(skip_locked=True).filter(id=1).first()
    if row is not None and (row.checked_at is None or now - row.checked_at >= EVERY):
        check(row, now)


def check(row: LedgerCheck, now: datetime) -> None:
    """Write down how the ledger stands."""
    stands, proof = state(), newest_proof()
    row.checked_at, row.size, row.pending = now, stands.size, stands.pending
    row.oldest_at = None if stands.waiting is None else now - stands.waiting
    row.signed_size = stands.checkpoint.size if stands.checkpoint else 0
    row.signed_at = stands.checkpoint.signed_at if stands.checkpoint else None
    row.proof, row.why = (proof.state, proof.why[:300]) if proof else ("", "")
    row.save()


def newest_proof() -> Proof | None:
    """The newest entry that a checkpoint holds, checked now; None before the first checkpoint."""
    prover = Prover()
    if prover.checkpoint is None:
        return None
    newest = prover.checkpoint.size - 1
    entry = Entry.objects.filter(index=newest).first()
    return prover.proof(entry) if entry else Proof(newest, BROKEN, why="The last signed entry is missing.")
