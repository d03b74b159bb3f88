"""Checkpoints into an S3-compatible store, each locked there: nobody can change or delete it before its day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from core.errors import Invalid
from ledger.publishing.destinations import PATIENCE, DeliveryError, Parcel, Receipt


class Store:
    """A bucket with object lock. Whoever runs this gives credentials as boto3 finds them: a role, a file, variables."""

    every = timedelta(seconds=60)
    asks_proof = False
    name = "store"

    def __init__(self, bucket: str, prefix: str, endpoint: str, days: int) -> None:
        self._bucket, self._prefix, self._endpoint = bucket, prefix, endpoint or None
        self._kept = timedelta(days=days)
        self._s3: Any = None

    @classmethod
    def parse(cls, address: str, endpoint: str, days: int) -> Self:
        """Read `s3://BUCKET/PREFIX`. Raises Invalid."""
        found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?", address)
        if found is None:
            raise Invalid("LEDGER_STORE", f"{address} is no store.", "For example s3://evidence/narrowgate.")
        if days < 1:
            raise Invalid("LEDGER_STORE_DAYS", "Checkpoints are locked for at least a day.")
        prefix = (found[2] or "").strip("/")
        return cls(found[1], f"{prefix}/" if prefix else "", endpoint, days)

    def send(self, parcel: Parcel) -> Receipt:
        """Put it, locked in compliance mode. Raises DeliveryError."""
        from botocore.exceptions import BotoCoreError, ClientError  # as below

        try:
            self._client().put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{parcel.size:020}.txt",
                Body=parcel.cosigned.encode(),
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=datetime.now(UTC) + self._kept,
            )
        except ClientError as error:
            said = error.response.get("Error", {})
            raise DeliveryError(f"It refuses: {said.get('Code', 'unknown')}, {said.get('Message', '')}") from None
        except BotoCoreError as error:
            raise DeliveryError(f"It cannot be used ({type(error).__name__}).") from None
        return Receipt()

    def _client(self) -> Any:  # noqa: ANN401 -- boto3 makes its classes as it runs
        if self._s3 is None:
            import boto3  # large: loaded only where there is a store
            from botocore.config import Config

            config = Config(connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 1})
            self._s3 = boto3.client("s3", endpoint_url=self._endpoint, config=config)
        return self._s3
