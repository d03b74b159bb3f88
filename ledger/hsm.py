"""A key of the log in an HSM, by PKCS#11: it signs inside, and never comes out.

The key is named by a PKCS#11 URI (RFC 7512): `pkcs11:token=NAME;object=LABEL?module-path=/path/to/library.so`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, unquote

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, PKCS11Error, Session, Token
from pkcs11.exceptions import NoSuchKey, PinIncorrect, UserAlreadyLoggedIn
from pkcs11.types import PrivateKey, PublicKey, SecretKey, SignMixin
from pkcs11.util.ec import encode_named_curve_parameters

from core.errors import Invalid, NarrowgateError
from ledger.checkpoint import VerifierKey

SETTING = "LEDGER_KEY"
SCHEME = "pkcs11:"
EXAMPLE = "pkcs11:token=narrowgate;object=ledger?module-path=/usr/lib/softhsm/libsofthsm2.so"
ED25519_OID = "1.3.101.112"
POINT_SIZE = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is: the library that speaks to the HSM, the token in it, the key's label."""

    module: str
    token: str
    label: str

    @classmethod
    def parse(cls, uri: str, setting: str = SETTING) -> Place:
        """Read the PKCS#11 URI of `setting`. Raises Invalid for one that lacks a part, or says more than is understood here."""
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        pairs = [part.partition("=") for part in [*path.split(";"), *query.split("&")] if part]
        said = {name: unquote(value) for name, _, value in pairs}
        if not uri.startswith(SCHEME) or set(said) != {"token", "object", "module-path"} or not all(said.values()):
            raise Invalid(setting, f"{setting} is no PKCS#11 URI that names a key.", f"For example {EXAMPLE}.")
        return cls(said["module-path"], said["token"], said["object"])

    def __str__(self) -> str:
        module, token, label = (quote(part, safe="/") for part in (self.module, self.token, self.label))
        return f"{SCHEME}token={token};object={label}?module-path={module}"


class SigningKey(PrivateKey, SignMixin):
    """What an HSM's library makes of a private key that signs."""


class HsmSigner:
    """Signs with an Ed25519 key of an HSM (CKM_EDDSA). Its session lives as long as it does."""

    kept_in = "hsm"

    def __init__(self, session: Session, private: SigningKey, key: VerifierKey, setting: str = SETTING) -> None:
        self._setting = setting
        self._session = session
        self._private = private
        self.key = key

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of `message` (RFC 8032). Raises NarrowgateError when the HSM does not give it."""
        with told("does not sign", self._setting):
            return bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))

    @classmethod
    def load_or_create(cls, uri: str, pin: str, name: str, setting: str = SETTING) -> HsmSigner:
        """The signer of the key that `uri`, the value of `setting`, names, made in the HSM when there is none. `name` is the key's.

        Raises NarrowgateError: no such library or token, a wrong PIN, a key of another kind, or one that can be taken out.
        """
        place = Place.parse(uri, setting)
        with told(f"cannot be used ({place.token})", setting):
            session = opened(place, pin, setting)
            private, public = _find(session, place) or _make(session, place)
            require_kept(private, place)
            return cls(session, private, VerifierKey(name, _point(public)), setting)


@contextmanager
def told(what: str, setting: str = SETTING) -> Iterator[None]:
    """Say in a sentence what an HSM refuses of the key that `setting` names."""
    try:
        yield
    except PinIncorrect:
        raise NarrowgateError(
            "The HSM refuses the PIN.", f"Set {setting}_PIN; a few wrong ones lock the token."
        ) from None
    except PKCS11Error as error:
        why = str(error) or type(error).__name__
        raise NarrowgateError(f"The HSM {what}: {why}.", "See that it is there and holds one such key.") from None


def opened(place: Place, pin: str, setting: str = SETTING) -> Session:
    """A session with the token where a key is. Raises NarrowgateError, and what `told` puts into words."""
    if not pin:
        raise NarrowgateError("The HSM needs its user's PIN.", f"Set {setting}_PIN.")
    return _session(_token(place), pin)


def _token(place: Place) -> Token:
    try:
        library = pkcs11.lib(place.module)
    except RuntimeError as error:
        raise NarrowgateError(f"The PKCS#11 library {place.module} does not load: {error}.") from None
    return library.get_token(token_label=place.token)


def _session(token: Token, pin: str) -> Session:
    """A session as the user. A login holds for all sessions of a process, so a second one finds it done."""
    try:
        return token.open(rw=True, user_pin=pin)
    except UserAlreadyLoggedIn:
        return token.open(rw=True)


def _find(session: Session, place: Place) -> tuple[SigningKey, PublicKey] | None:
    try:
        private = session.get_key(ObjectClass.PRIVATE_KEY, KeyType.EC_EDWARDS, place.label)
        public = session.get_key(ObjectClass.PUBLIC_KEY, KeyType.EC_EDWARDS, place.label)
    except NoSuchKey:
        return None
    return private, public  # type: ignore[return-value]  # what was asked for


def _make(session: Session, place: Place) -> tuple[SigningKey, PublicKey]:
    """Make a key that stays inside."""
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(ED25519_OID)}
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True)
    stays = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    public, private = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=place.label, private_template=stays
    )
    return private, public  # type: ignore[return-value]  # likewise


def require_kept(key: PrivateKey | SecretKey, place: Place) -> None:
    """Raise NarrowgateError for a key that can be taken out."""
    if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
        raise NarrowgateError(
            f"The key {place.label} can be taken out of the HSM.", "Make one that cannot: another label will do."
        )


def _point(public: PublicKey) -> bytes:
    """The public key's 32 bytes; HSMs give them bare, or as a DER octet string."""
    point = bytes(public[Attribute.EC_POINT])
    if len(point) == POINT_SIZE + 2 and point[:2] == b"\x04\x20":
        point = point[2:]
    if len(point) != POINT_SIZE:
        raise NarrowgateError("The HSM's key is not an Ed25519 key.")
    return point
