"""The ledger's tables: what writers put in, and the log that the sequencer makes of it.

Nothing here refers to another app, and nothing is ever changed or deleted except a node's number and the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

FENCED = (
    "ledger_outbox", "ledger_entry", "ledger_checkpoint", "ledger_tile", "ledger_key", "ledger_name", "ledger_cosignature",
    "ledger_timestamp",
)  # fmt: skip


def never_truncated() -> pgtrigger.Trigger:
    """A trigger that refuses TRUNCATE."""
    return pgtrigger.Trigger(
        name="table_is_final",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'the ledger''s tables are not truncated';",
    )


def insert_only() -> list[pgtrigger.Trigger]:
    """Triggers that refuse to change, delete or truncate."""
    return [
        pgtrigger.Protect(name="rows_are_final", operation=pgtrigger.Update | pgtrigger.Delete),
        never_truncated(),
    ]


class ClockTimestamp(models.Func):
    """The database's wall clock at the moment of the insert, not of the transaction's start."""

    function = "clock_timestamp"
    arity = 0
    output_field = models.DateTimeField()


class Node(models.Model):
    """A line of gapless numbers: one gateway, or one of Django's lanes. A transaction that moves it holds it."""

    name = models.CharField(max_length=120, primary_key=True)
    seq = models.BigIntegerField(default=0)  # the last number given

    class Meta:
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="numbers_only_grow",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__seq__lte=pgtrigger.F("old__seq"))
                | pgtrigger.Q(new__name__df=pgtrigger.F("old__name")),
            ),
            pgtrigger.Protect(name="nodes_stay", operation=pgtrigger.Delete),
            never_truncated(),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.seq}"


class Outbox(models.Model):
    """What a writer recorded, in the transaction of what it records; the sequencer copies it into the log."""

    node = models.CharField(max_length=120)
    node_seq = models.BigIntegerField()
    event = models.CharField(max_length=60)
    leaf = models.BinaryField()
    recorded_at = models.DateTimeField(db_default=ClockTimestamp())
    # The writer's transaction: by it the sequencer finds what became visible since it last looked
    xid = models.BigIntegerField(
        db_default=RawSQL("(pg_current_xact_id()::text::bigint)", (), output_field=models.BigIntegerField())
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "node_seq"], name="outbox_number_once")]
        indexes: ClassVar = [models.Index(fields=["xid"], name="outbox_by_transaction")]
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return f"{self.event} {self.node} {self.node_seq}"


class Entry(models.Model):
    """One immutable line of the ledger. `leaf` is the record; the other columns are found in it, to filter by."""

    index = models.BigIntegerField(primary_key=True)  # from 0, gap-free
    outbox_id = models.BigIntegerField(unique=True)
    leaf_hash = models.BinaryField()
    leaf = models.BinaryField()
    uid = models.UUIDField(null=True)
    event = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=200)
    actor_id = models.CharField(max_length=200)
    actor_name = models.CharField(max_length=200)
    subject_kind = models.CharField(max_length=200)
    subject_id = models.CharField(max_length=200)
    subject_name = models.CharField(max_length=200)
    session = models.CharField(max_length=200, blank=True)
    action = models.CharField(max_length=200, blank=True)
    node = models.CharField(max_length=200)
    node_seq = models.BigIntegerField(null=True)
    recorded = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-index"]
        indexes: ClassVar = [
            models.Index(fields=["uid"], name="entry_by_uid"),
            models.Index(fields=["event", "index"], name="entry_by_event"),
            models.Index(fields=["actor_id", "index"], name="entry_by_actor"),
            models.Index(fields=["subject_id", "index"], name="entry_by_subject"),
            models.Index(fields=["recorded"], name="entry_by_recorded"),
            models.Index(fields=["session", "index"], name="entry_by_session", condition=~models.Q(session="")),
            models.Index(fields=["action", "index"], name="entry_by_action", condition=~models.Q(action="")),
        ]
        triggers: ClassVar = insert_only()

    words: Mapping[str, str] = MappingProxyType({})
    """What people typed, by the field of its details that commits to it; empty until `ledger.personal.reveal`."""

    def __str__(self) -> str:
        return f"{self.index} {self.event}"


class Checkpoint(models.Model):
    """A signed root: `note` is the C2SP checkpoint over the first `size` entries."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()
    signed_at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return f"{self.size} {bytes(self.root).hex()}"


class Tile(models.Model):
    """A full tile of 256 hashes (C2SP tlog-tiles); `root` is its place one level up. Partial tiles are derived.

    `middles` are the hashes of its sixteen subtrees of sixteen, so that a proof neither reads nor hashes whole tiles.
    """

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()
    middles = models.BinaryField()
    root = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["level", "index"], name="tile_once")]
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


class Key(models.Model):
    """A verifier key that signed checkpoints, from the tree of `first_size` entries on."""

    key_id = models.CharField(max_length=8, primary_key=True)
    verifier = models.TextField()
    first_size = models.BigIntegerField()
    kept_in = models.CharField(max_length=10, db_default="file")  # or "hsm": the sequencer says so
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return self.verifier


class Cosignature(models.Model):
    """A witness's signature over a checkpoint: `line` as it stands in a note (C2SP tlog-cosignature)."""

    size = models.BigIntegerField()  # of the checkpoint
    name = models.CharField(max_length=200)
    key_id = models.CharField(max_length=8)
    line = models.TextField()
    cosigned_at = models.DateTimeField()  # as the witness says

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["size", "name", "key_id"], name="cosigned_once"),
        ]
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return f"{self.size} {self.name}"


class Timestamp(models.Model):
    """An RFC 3161 token over a checkpoint's note."""

    size = models.BigIntegerField(primary_key=True)  # of the checkpoint
    authority = models.CharField(max_length=200)
    response = models.BinaryField()  # the DER of the authority's answer
    stamped_at = models.DateTimeField()  # as the authority says

    class Meta:
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return f"{self.size} {self.authority}"


class Delivery(models.Model):
    """How far checkpoints have gone out to one destination, and when it is tried again. Not part of the record."""

    name = models.CharField(max_length=200, primary_key=True)
    size = models.BigIntegerField(default=0)  # of the last checkpoint there
    delivered_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)  # in a row
    next_at = models.DateTimeField(db_default=Now())
    problem = models.CharField(max_length=300, blank=True)  # why the last try failed

    def __str__(self) -> str:
        return f"{self.name} {self.size}"


class Head(models.Model):
    """Where the log ends: one row, moved by compare-and-set in the sequencer's transaction."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    root = models.BinaryField()
    frontier = models.BinaryField()  # the compact range's hashes, joined
    snapshot = models.TextField(blank=True)  # a pg_snapshot: everything visible in it is in the log

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="one_head")]

    def __str__(self) -> str:
        return f"{self.size} {bytes(self.root).hex()}"


class Person(models.Model):
    """A person whom entries name, by their identifier, and the key that opens their names and words; NULL once they are erased."""

    person = models.CharField(max_length=200, primary_key=True)
    key = models.BinaryField(null=True)

    class Meta:
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="keys_are_only_destroyed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__key__isnull=False) | pgtrigger.Q(new__person__df=pgtrigger.F("old__person")),
            ),
            pgtrigger.Protect(name="people_stay", operation=pgtrigger.Delete),
            never_truncated(),
        ]

    def __str__(self) -> str:
        return self.person


class Name(models.Model):
    """What a person was called, or typed, sealed under their key; entries hold the commitment."""

    commitment = models.CharField(max_length=80, primary_key=True)
    person = models.CharField(max_length=200)
    box = models.BinaryField()

    class Meta:
        triggers: ClassVar = insert_only()

    def __str__(self) -> str:
        return self.commitment
