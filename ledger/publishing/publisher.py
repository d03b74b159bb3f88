"""Takes checkpoints out. What has to go is found in the database; what cannot go is tried again, later and later.

One process works, whoever holds the advisory lock. A turn, numbered again in the code:

1. Write down what came back from the requests that have ended.
2. Take the newest checkpoint: one for all witnesses, so that they sign the same; for others the newest that the quorum has cosigned.
3. Send it to each destination that is due and is not still busy, in a thread of its own.
4. Write the tiles that it needs, as many as fit into a turn, and when they are there the checkpoint.

Nothing waits for a destination: not the sequencer, not the other destinations, not the next turn.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import Max

from core.db import db_now
from core.errors import NarrowgateError
from ledger.models import Checkpoint, Cosignature, Delivery, Timestamp
from ledger.publishing.configured import quorum
from ledger.publishing.destinations import AnotherSizeError, DeliveryError, Destination, Parcel, Receipt
from ledger.publishing.standing import final_under
from ledger.publishing.tile_files import TileFiles
from ledger.queries import consistency, last_checkpoint
from ledger.quorum import NONE, Quorum

LOCK: Final = 0x6E67_7075_626C_6973  # "ngpublis"
TURN: Final = 1.0
"""Seconds between turns."""
FAR_BEHIND: Final = timedelta(minutes=1)
"""How much newer an uncosigned checkpoint is that goes out all the same."""
LONGEST_WAIT: Final = timedelta(minutes=5)
"""Between two tries of a destination that does not answer."""
LATEST_TIME: Final = 253_402_300_799
"""The last second of the year 9999: a witness may say anything."""
log = structlog.get_logger()


class Publisher:
    """Run one a process, or several: one works."""

    def __init__(self, destinations: Sequence[Destination], tiles: TileFiles | None = None) -> None:
        self._tiles = tiles
        self._destinations = {destination.name: destination for destination in destinations}
        self._busy: dict[str, tuple[Parcel, Future[Receipt]]] = {}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(destinations)), thread_name_prefix="publisher")

    def run(self, stop: threading.Event) -> None:
        """Take turns until `stop` is set. A database that is away is waited for."""
        try:
            while not stop.is_set():
                wait = TURN
                try:
                    wait = TURN if self.turn() else 0
                except (DatabaseError, NarrowgateError) as error:
                    log.warning("publisher_waits", error=str(error))
                    connections.close_all()
                stop.wait(wait)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            connections.close_all()

    def turn(self) -> bool:
        """One turn, as the module says. Whether nothing is left to do at once."""
        if not _holds_lock():
            return True
        for name, (parcel, future) in list(self._busy.items()):  # 1
            if future.done():
                del self._busy[name]
                _settle(self._destinations[name], parcel, future)
        newest = last_checkpoint()  # 2
        if newest is None:
            return True
        settled = self._settled(newest)
        for delivery in _due(self._destinations, db_now()):  # 3
            destination = self._destinations[delivery.name]
            kept = newest if destination.asks_proof else settled
            if delivery.size != kept.size and delivery.name not in self._busy:
                self._send(destination, delivery, kept)
        return self._tiles is None or self._tiles.catch_up(settled.size, cosigned(settled))  # 4

    def _settled(self, newest: Checkpoint) -> Checkpoint:
        """The checkpoint for those who are no witnesses: the largest that the quorum has cosigned, or one witness where there
        is no quorum, unless they fall far behind.
        """
        if any(destination.asks_proof for destination in self._destinations.values()):
            size = _cosigned_size(quorum())
            seen = Checkpoint.objects.filter(size=size).first() if size else None
            if seen is not None and newest.signed_at - seen.signed_at < FAR_BEHIND:
                return seen
        return newest

    def _send(self, destination: Destination, delivery: Delivery, newest: Checkpoint) -> None:
        if destination.asks_proof and delivery.size > newest.size:
            _stands_elsewhere(destination, newest.size, delivery.size)
            return
        parcel = _parcel(newest, delivery.size if destination.asks_proof else 0)
        self._busy[destination.name] = parcel, self._pool.submit(destination.send, parcel)


def _cosigned_size(policy: Quorum) -> int | None:
    """The size of the largest checkpoint that enough witnesses have cosigned; None while there is none."""
    if policy.decides == NONE:
        largest: int | None = Cosignature.objects.aggregate(largest=Max("size"))["largest"]
        return largest
    final = final_under(policy)
    return final.size if final else None


def _holds_lock() -> bool:
    """Whether this connection is the one that works; asking again while it is changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _due(destinations: dict[str, Destination], now: datetime) -> list[Delivery]:
    """The destinations whose turn it is."""
    known = Delivery.objects.in_bulk(list(destinations))
    if missing := [Delivery(name=name) for name in destinations if name not in known]:
        Delivery.objects.bulk_create(missing, ignore_conflicts=True)
        known = Delivery.objects.in_bulk(list(destinations))
    return [one for one in known.values() if one.next_at <= now]


def _parcel(newest: Checkpoint, old: int) -> Parcel:
    """The newest checkpoint, with the proof that it continues the one of `old` entries."""
    proof = tuple(consistency(old, newest.size)) if 0 < old <= newest.size else ()
    return Parcel(newest.size, newest.note, cosigned(newest), old, proof)


def cosigned(kept: Checkpoint) -> str:
    """A checkpoint's note with the cosignatures that came back."""
    return kept.note + "".join(Cosignature.objects.filter(size=kept.size).values_list("line", flat=True))


def _settle(destination: Destination, parcel: Parcel, future: Future[Receipt]) -> None:
    """Write down how a delivery ended, and what came back."""
    try:
        receipt = future.result()
    except AnotherSizeError as error:
        _stands_elsewhere(destination, parcel.size, error.size)
    except DeliveryError as error:
        _failed(destination, str(error))
    else:
        with transaction.atomic():
            _keep(parcel, receipt)
            now = db_now()
            Delivery.objects.filter(name=destination.name).update(
                size=parcel.size, delivered_at=now, failures=0, problem="", next_at=now + destination.every
            )


def _keep(parcel: Parcel, receipt: Receipt) -> None:
    Cosignature.objects.bulk_create(
        [
            Cosignature(
                size=parcel.size,
                name=one.key.name,
                key_id=one.key.key_id.hex(),
                line=one.line,
                cosigned_at=datetime.fromtimestamp(min(one.timestamp, LATEST_TIME), tz=UTC),
            )
            for one in receipt.cosignatures
        ],
        ignore_conflicts=True,
    )
    if receipt.stamp is not None:
        stamp = receipt.stamp
        Timestamp.objects.bulk_create(
            [Timestamp(size=parcel.size, authority=stamp.authority, response=stamp.response, stamped_at=stamp.moment)],
            ignore_conflicts=True,
        )


def _stands_elsewhere(destination: Destination, ours: int, size: int) -> None:
    """A witness knows another size than was thought: prove from there. One that the ledger does not reach is an alarm."""
    if size > ours:
        why = "the ledger was set back, or another goes by its name"
        _failed(destination, f"It has seen {size} entries, and the ledger has {ours}: {why}.")
    else:
        Delivery.objects.filter(name=destination.name).update(size=size, next_at=db_now())


def _failed(destination: Destination, why: str) -> None:
    """Note why, and when it is tried again."""
    log.warning("checkpoint_not_delivered", destination=destination.name, why=why)
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(name=destination.name)
        delivery.failures += 1
        delivery.problem = why[:300]
        wait = timedelta(seconds=2 ** min(delivery.failures, 10))
        delivery.next_at = db_now() + min(max(wait, destination.every), LONGEST_WAIT)
        delivery.save(update_fields=["failures", "problem", "next_at"])
