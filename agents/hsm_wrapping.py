"""The vault's key in an HSM, by PKCS#11: data keys go in and come out sealed (CKM_AES_GCM), and it never comes out itself."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11.exceptions import EncryptedDataInvalid, FunctionFailed, GeneralError, NoSuchKey
from pkcs11.types import DecryptMixin, EncryptMixin, SecretKey

from agents.hsm_held import Held, Slot
from agents.sealing import NONCE_SIZE, TAG_SIZE
from ledger.hsm import Place, require_kept, told

SETTING = "VAULT_KEY"
BITS = 256
DOES_NOT_OPEN = (EncryptedDataInvalid, FunctionFailed, GeneralError)
"""What libraries say of a box that was sealed with another key, for something else, or altered: SoftHSM the last."""


class WrappingKey(SecretKey, EncryptMixin, DecryptMixin):
    """What an HSM's library makes of a secret key that seals and opens."""


def _sealed(own: WrappingKey, key: bytes, how: GCMParams) -> bytes:
    return b"".join([own.encrypt(key, mechanism=Mechanism.AES_GCM, mechanism_param=how)])  # type: ignore[list-item]  # bytes of bytes


def _opened(own: WrappingKey, sealed: bytes, how: GCMParams) -> bytes:
    return b"".join([own.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=how)])  # type: ignore[list-item]  # likewise


class HsmWrapping:
    """An AES-256 key of an HSM, which seals data keys (`agents.sealing.Wrapping`)."""

    def __init__(self, held: Held[WrappingKey]) -> None:
        self._held = held

    @classmethod
    def create(cls, place: Place, pin: str) -> HsmWrapping:
        """Make a key that stays inside; where the HSM holds one of that label, take that. Raises NarrowgateError."""
        slot = Slot(place, pin, SETTING)
        with told(f"cannot be used ({place.token})", SETTING):
            session = slot.opened()
            try:
                key = _find(session, place)
            except NoSuchKey:
                key = _make(session, place)
            return cls._kept(slot, session, key)

    @classmethod
    def load(cls, place: Place, pin: str) -> HsmWrapping:
        """The key with that label. Raises NarrowgateError also where there is none."""
        slot = Slot(place, pin, SETTING)
        with told(f"holds no key {place.label} that can be used", SETTING):
            session = slot.opened()
            return cls._kept(slot, session, _find(session, place))

    @classmethod
    def _kept(cls, slot: Slot, session: Session, key: WrappingKey) -> HsmWrapping:
        require_kept(key, slot.place)
        return cls(Held(slot, session, key, _find))

    def wrap(self, key: bytes, belongs_to: bytes) -> bytes:
        """`key` sealed, as `agents.sealing` has it: nonce, then ciphertext and tag. Raises NarrowgateError."""
        nonce = os.urandom(NONCE_SIZE)
        with told("does not seal", SETTING):
            return nonce + self._held.use(lambda own: _sealed(own, key, _how(nonce, belongs_to)))

    def unwrap(self, sealed: bytes, belongs_to: bytes) -> bytes:
        """What was sealed. Raises InvalidTag where it was not with this key, for this; NarrowgateError where the HSM does not answer."""
        nonce, box = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
        with told("does not open", SETTING):
            try:
                return self._held.use(lambda own: _opened(own, box, _how(nonce, belongs_to)))
            except DOES_NOT_OPEN:
                raise InvalidTag from None


def _how(nonce: bytes, belongs_to: bytes) -> GCMParams:
    return GCMParams(nonce, belongs_to, 8 * TAG_SIZE)


def _find(session: Session, place: Place) -> WrappingKey:
    return session.get_key(ObjectClass.SECRET_KEY, KeyType.AES, place.label)  # type: ignore[return-value]  # what was asked for


def _make(session: Session, place: Place) -> WrappingKey:
    stays = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    does = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    return session.generate_key(  # type: ignore[return-value]  # likewise
        KeyType.AES, BITS, store=True, label=place.label, capabilities=does, template=stays
    )
