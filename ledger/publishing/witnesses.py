"""Checkpoints to a witness, by C2SP tlog-witness; its cosignature comes back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from ledger.checkpoint import NoteError, to_base64
from ledger.cosignature import cosignatures
from ledger.publishing.destinations import AnotherSizeError, DeliveryError, Parcel, Receipt, client, post
from ledger.quorum import Known

REFUSALS: Final = {
    403: "It does not know the key that signs the ledger.",
    404: "It does not know this ledger.",
    422: "It says that the ledger does not continue what it saw: the ledger was set back, or forked.",
}


class WitnessDoor:
    """One witness of the policy file."""

    every = timedelta(seconds=1)
    asks_proof = True

    def __init__(self, known: Known) -> None:
        self.name = f"witness {known.name}"
        self._known = known
        self._client = client()

    def send(self, parcel: Parcel) -> Receipt:
        """Ask for a cosignature. Raises DeliveryError; AnotherSizeError when the witness stands elsewhere."""
        lines = "".join(f"{to_base64(part)}\n" for part in parcel.proof)
        body = f"old {parcel.old}\n{lines}\n{parcel.note}".encode()
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        status, answer = post(self._client, f"{self._known.url}/add-checkpoint", body, headers)
        text = answer.decode("utf-8", "replace")
        if status == 409 and re.fullmatch(r"(0|[1-9][0-9]{0,17})\n", text):
            raise AnotherSizeError(int(text))
        if status != 200:
            raise DeliveryError(REFUSALS.get(status, f"It refuses, with status {status}."))
        try:
            found = cosignatures(parcel.note + text, [self._known.key])
        except NoteError as error:
            raise DeliveryError(f"Its answer is no cosignature: {error}") from None
        if not found:
            raise DeliveryError("Its answer is no cosignature by the key in the file of witnesses.")
        return Receipt(cosignatures=found)
