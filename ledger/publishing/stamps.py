"""Checkpoints to a time-stamp authority (RFC 3161): its token says that a checkpoint existed by then."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from core.errors import Invalid
from ledger.publishing.destinations import DeliveryError, Parcel, Receipt, Stamp, client, post


class StampDoor:
    """One authority, by its address; an answer counts when it leads to one of `roots`."""

    every = timedelta(minutes=10)
    asks_proof = False
    name = "time stamps"

    def __init__(self, url: str, roots: list[Certificate]) -> None:
        self._url, self._roots = url, roots
        self._client = client()

    def send(self, parcel: Parcel) -> Receipt:
        """Have the note stamped, and check the answer. Raises DeliveryError."""
        message = parcel.note.encode()
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        kind = {"Content-Type": "application/timestamp-query"}
        status, answer = post(self._client, self._url, request.as_bytes(), kind)
        if status != 200:
            raise DeliveryError(f"It refuses, with status {status}.")
        try:
            response = decode_timestamp_response(answer)
            verifier = VerifierBuilder.from_request(request)
            for root in self._roots:
                verifier = verifier.add_root_certificate(root)
            verifier.build().verify_message(response, message)
        except (ValueError, VerificationError) as error:
            raise DeliveryError(f"Its answer is no time stamp that holds: {error}.") from None
        return Receipt(stamp=Stamp(self._url[:200], answer, response.tst_info.gen_time))


def read_roots(path: Path) -> list[Certificate]:
    """The certificates that an authority's token has to lead to, from a PEM file. Raises Invalid."""
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it holds no certificate in PEM"
        raise Invalid("LEDGER_TSA_ROOTS", f"The file {path} cannot be used: {said}.") from None
