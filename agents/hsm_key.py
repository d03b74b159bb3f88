"""A P-256 key in an HSM, by PKCS#11: agents' certificates and access tokens are signed inside, and it never comes out.

`cryptography` signs with anything that is an EllipticCurvePrivateKey; this one hands the digest to the HSM (CKM_ECDSA).
"""

from __future__ import annotations

import hashlib
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session
from pkcs11.exceptions import NoSuchKey
from pkcs11.types import PublicKey
from pkcs11.util.ec import encode_named_curve_parameters

from agents.hsm_held import Held, Slot
from core.errors import NarrowgateError
from ledger.hsm import Place, SigningKey, require_kept, told

SETTING = "AGENTS_CA_KEY"
CURVE = "secp256r1"
SIZE = 32
POINT = b"\x04"
"""What an uncompressed point begins with."""


class HsmKey(ec.EllipticCurvePrivateKey):
    """A P-256 key of an HSM. It does one thing at a time, and opens the HSM again after that was away."""

    def __init__(self, held: Held[SigningKey], public: ec.EllipticCurvePublicKey) -> None:
        self._held = held
        self._public = public

    @classmethod
    def load_or_create(cls, uri: str, pin: str, setting: str = SETTING) -> HsmKey:
        """The key that `uri` names, made in the HSM when there is none; `setting` says so.

        Raises NarrowgateError: no such library or token, a wrong PIN, a key of another kind, or one that can be taken out.
        """
        slot = Slot(Place.parse(uri, setting), pin, setting)
        with told(f"cannot be used ({slot.place.token})", setting):
            session = slot.opened()
            return cls._kept(slot, session, _find(session, slot.place) or _make(session, slot.place))

    @classmethod
    def load(cls, uri: str, pin: str, setting: str) -> HsmKey:
        """The key that `uri` names. Raises NarrowgateError also where there is none."""
        slot = Slot(Place.parse(uri, setting), pin, setting)
        with told(f"cannot be used ({slot.place.token})", setting):
            session = slot.opened()
            found = _find(session, slot.place)
            if found is None:
                raise NarrowgateError(
                    f"The HSM holds no key {slot.place.label}.", f"See that {setting} names the right one."
                )
            return cls._kept(slot, session, found)

    @classmethod
    def _kept(cls, slot: Slot, session: Session, found: tuple[SigningKey, PublicKey]) -> HsmKey:
        private, public = found
        require_kept(private, slot.place)
        return cls(Held(slot, session, private, _private), _public(public))

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # noqa: ANN401 -- any buffer
        """The ECDSA signature of `data` over its SHA-256, in DER. Raises NarrowgateError when the HSM does not give it."""
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise NarrowgateError("A key of an HSM signs with SHA-256 alone.")
        digest = hashlib.sha256(data).digest()
        with told("does not sign", self._held.slot.setting):
            raw = self._held.use(lambda private: bytes(private.sign(digest, mechanism=Mechanism.ECDSA)))
        return encode_dss_signature(int.from_bytes(raw[:SIZE], "big"), int.from_bytes(raw[SIZE:], "big"))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """In bits."""
        return self._public.key_size

    def exchange(self, *_arguments: object) -> NoReturn:
        """It signs, and does nothing else."""
        raise NarrowgateError("A key of an HSM signs, and agrees on no others.")

    def private_numbers(self) -> NoReturn:
        """They stay in the HSM."""
        raise NarrowgateError("The key does not leave its HSM.")

    def private_bytes(self, *_arguments: object) -> NoReturn:
        """They stay in the HSM."""
        raise NarrowgateError("The key does not leave its HSM.")

    def __copy__(self) -> HsmKey:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> HsmKey:
        return self


def _private(session: Session, place: Place) -> SigningKey:
    return session.get_key(ObjectClass.PRIVATE_KEY, KeyType.EC, place.label)  # type: ignore[return-value]  # what was asked for


def _find(session: Session, place: Place) -> tuple[SigningKey, PublicKey] | None:
    try:
        private = session.get_key(ObjectClass.PRIVATE_KEY, KeyType.EC, place.label)
        public = session.get_key(ObjectClass.PUBLIC_KEY, KeyType.EC, place.label)
    except NoSuchKey:
        return None
    return private, public  # type: ignore[return-value]  # what was asked for


def _make(session: Session, place: Place) -> tuple[SigningKey, PublicKey]:
    """Make a key that stays inside."""
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVE)}
    parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
    stays = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    public, private = parameters.generate_keypair(store=True, label=place.label, private_template=stays)
    return private, public  # type: ignore[return-value]  # likewise


def _public(public: PublicKey) -> ec.EllipticCurvePublicKey:
    """The public key of an HSM, which gives its point bare, or as a DER octet string."""
    point = bytes(public[Attribute.EC_POINT])
    bare = point[2:] if len(point) == 2 * SIZE + 3 else point
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bare)
    except ValueError:
        raise NarrowgateError("The HSM's key is not a P-256 key.", "Name another, or let one be made.") from None
