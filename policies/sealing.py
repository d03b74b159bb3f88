"""A version of the policies as a signed, immutable bundle: what is signed, by which key, and what is used only once that was checked.

Whoever can write the database can neither change a version nor add one: a gateway uses what a key that it knows has signed, and
else denies everything.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings

from core.errors import Invalid, NarrowgateError
from ledger import attested
from ledger.checkpoint import NoteError, VerifierKey
from ledger.signer import FileSigner, Signer
from policies import plan
from policies.evaluate import Engine
from policies.models import PolicyPlan, PolicyVersion
from policies.parse import Rules, policies
from policies.world import World

TITLE: Final = "narrowgate policy version"
APPROVAL: Final = "narrowgate policy approval"
PARTS: Final = ("text", "tests", "schema")
"""What is signed beside the facts and the plan, by the names of fields."""
FILE: Final = "policies.key"


def seal(version: PolicyVersion, packed: bytes) -> None:
    """Sign a version that is about to be kept, with its plan. Raises NarrowgateError where the key cannot be used."""
    text = _statement(version, packed)
    version.digest = attested.digest(text.encode())
    version.signature = attested.sign(text, signer())


def seal_approval(version: PolicyVersion) -> None:
    """Sign that a version may come into force. Raises NarrowgateError where the key cannot be used."""
    version.approval = attested.sign(_approval(version), signer())


def require_approved(version: PolicyVersion) -> None:
    """See that a known key signed that the version may come into force: whoever writes rows cannot approve. Raises Invalid."""
    try:
        attested.require_signed(version.approval, _approval(version), trusted())
    except NoteError:
        raise Invalid(
            "approval",
            f"That version {version.number} was approved is not signed.",
            "Roll back to one that was, or draft it again and have it approved.",
        ) from None


def require_sealed(version: PolicyVersion) -> bytes:
    """See that a known key signed the version as it is; its plan, empty where there is none. Raises Invalid."""
    return _opened(version)[1]


def signed_by(version: PolicyVersion) -> VerifierKey:
    """The key that signed the version as it is. Raises Invalid."""
    return _opened(version)[0]


def _opened(version: PolicyVersion) -> tuple[VerifierKey, bytes]:
    kept = PolicyPlan.objects.filter(version=version).values_list("packed", flat=True).first()
    packed = bytes(kept) if kept is not None else b""
    if not version.signature:
        raise Invalid("signature", f"Version {version.number} is not signed.", "manage.py sign_policies signs it.")
    try:
        return attested.require_signed(version.signature, _statement(version, packed), trusted()), packed
    except NoteError as error:
        raise Invalid(
            "signature",
            f"Version {version.number} is not as it was signed: {str(error).rstrip('.')}.",
            "Compare with a backup, and with the digest in the ledger; POLICY_KEYS names the keys of before.",
        ) from None


def rules(version: PolicyVersion, rest: Callable[[], object] = lambda: None) -> Rules:
    """The policies of a version that is sealed: by its plan, or where another release wrote that by its text. Raises Invalid."""
    packed = require_sealed(version)
    planned = plan.read(version.text, packed) if packed else None
    return policies(version.text, rest) if planned is None else planned


def lend(*versions: PolicyVersion | None) -> None:
    """Have what was read in versions at hand by their plans, for texts that are mostly theirs; of one that cannot be used nothing."""
    for version in versions:
        if version is not None:
            with suppress(NarrowgateError):
                _lent(version.id, version.digest)


@lru_cache(4)
def _lent(version_id: UUID, _digest: str) -> None:
    """Once for each: reading a plan lends it."""
    rules(PolicyVersion.objects.get(id=version_id))


def engine(version: PolicyVersion, world: World) -> Engine:
    """What decides by a version that is sealed. Raises Invalid."""
    return Engine.build(version.text, world, version=version.number, rules=rules(version))


def exported(version: PolicyVersion) -> dict[str, object]:
    """A version as a file that anybody can verify: everything but the plan, which is made of the text. Raises Invalid."""
    require_sealed(version)
    parts = {name: getattr(version, name) for name in PARTS}
    return {"bundle": TITLE, "signature": version.signature, **parts}


def signer() -> Signer:
    """Who signs versions, made where there is none. Raises NarrowgateError."""
    if settings.POLICY_KEY:
        return _in_hsm(settings.POLICY_KEY, settings.POLICY_KEY_PIN, _name())
    return _in_file(_path(), settings.KEY_PASSPHRASE, _name(), _path().stat().st_mtime_ns if _path().exists() else 0)


def trusted() -> tuple[VerifierKey, ...]:
    """Whose signature is accepted: ours, where the key is, and those that POLICY_KEYS names. Raises NarrowgateError."""
    try:
        named = tuple(VerifierKey.parse(one) for one in settings.POLICY_KEYS)
    except NoteError as error:
        raise NarrowgateError(f"POLICY_KEYS names what is no key: {error}") from None
    has_key = settings.POLICY_KEY or _path().exists() or not named
    return (signer().key, *named) if has_key else named


def _statement(version: PolicyVersion, packed: bytes) -> str:
    facts = {
        "number": str(version.number),
        "author": str(version.author_id),
        "made": version.created_at.astimezone(UTC).isoformat(),
    }
    facts |= {"commit": version.commit} if version.commit else {}
    facts |= {"repository": version.repository} if version.repository else {}
    parts = {name: getattr(version, name).encode() for name in PARTS}
    return attested.statement(TITLE, facts, parts | {"plan": packed})


def _approval(version: PolicyVersion) -> str:
    """Who approved: nobody, for the very first version."""
    by = {"by": str(version.approved_by_id)} if version.approved_by_id else {}
    return attested.statement(APPROVAL, {"version": version.digest, **by}, {})


def _name() -> str:
    return f"{settings.TRUST_DOMAIN}/policies"


def _path() -> Path:
    return Path(settings.STATE_DIR) / "keys" / FILE


@lru_cache(4)
def _in_file(path: Path, passphrase: str, name: str, _changed: int) -> Signer:
    """Opened once for each state of the file: opening takes its passphrase some milliseconds."""
    return FileSigner.load_or_create(path, passphrase, name)


@lru_cache(1)
def _in_hsm(uri: str, pin: str, name: str) -> Signer:
    from ledger.hsm import HsmSigner  # its library is loaded only where there is an HSM

    return HsmSigner.load_or_create(uri, pin, name, "POLICY_KEY")
