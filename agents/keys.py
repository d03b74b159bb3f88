"""The keys of agents and ours: JWK (RFC 7517), ES256 (RFC 7518) or Ed25519 (RFC 9864). Pure.

Every key is bound to one algorithm when it is registered; a signature names none that it may choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from core.errors import Invalid, NarrowgateError

ALGORITHMS = ("ES256", "Ed25519")
Key = ECKey | OKPKey


def generate(algorithm: str = "ES256") -> Key:
    """A new private key. Raises Invalid for an algorithm that is not ours."""
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", private=True)
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", private=True)
    raise Invalid("algorithm", f"{algorithm} is not allowed.", f"Use {' or '.join(ALGORITHMS)}.")


def public_key(jwk: Mapping[str, Any]) -> Key:
    """Read a public JWK. Raises Invalid for a private, malformed or foreign one."""
    if "d" in jwk:
        raise Invalid(
            "key", "That is a private key: it must never leave its agent.", "Send the public half; make a new pair."
        )
    try:
        key = _public_key(jwk)
        if key is not None:
            key.public_key  # noqa: B018 -- a point that is not on the curve is found here
            return key
    except (JoseError, ValueError, KeyError, TypeError):
        raise Invalid("key", "That is not a well-formed public key (JWK, RFC 7517).") from None
    raise Invalid(
        "key", "Only P-256 and Ed25519 keys are accepted.", "Make one with narrowgate's key tools, or openssl."
    )


def _public_key(jwk: Mapping[str, Any]) -> Key | None:
    """The key of a JWK, by what it says it is and nothing else it says; None for other kinds."""
    if (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256"):
        return _of_curve(str(jwk["x"]), str(jwk["y"]))
    if (jwk.get("kty"), jwk.get("crv")) == ("OKP", "Ed25519"):
        return _of_edwards(str(jwk["x"]))
    return None


@lru_cache(4_096)
def _of_curve(x: str, y: str) -> ECKey:
    return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})


@lru_cache(4_096)
def _of_edwards(x: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})


def private_key(jwk: Mapping[str, Any]) -> Key:
    """Read a private JWK. Raises Invalid."""
    try:
        key: Key = ECKey.import_key(dict(jwk)) if jwk.get("kty") == "EC" else OKPKey.import_key(dict(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        raise Invalid("key", "That is not a well-formed private key (JWK, RFC 7517).") from None
    if not key.is_private:
        raise Invalid("key", "That is only the public half of a key.")
    return key


def algorithm_of(key: Key) -> str:
    """The one algorithm that `key` signs with."""
    return "ES256" if isinstance(key, ECKey) else "Ed25519"


def kid_of(key: Key) -> str:
    """Its RFC 7638 thumbprint: the same wherever it is computed."""
    return key.thumbprint()


def public_jwk(key: Key) -> dict[str, str]:
    """The public half, with `kid` and `alg`."""
    public = {
        name: str(value) for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}
    }
    return public | {"kid": kid_of(key), "alg": algorithm_of(key)}


def to_pem(key: Key, passphrase: str) -> bytes:
    """The private key, encrypted with `passphrase` (PKCS #8)."""
    return key.as_pem(private=True, password=passphrase)


def from_pem(pem: bytes, passphrase: str) -> Key:
    """Open what `to_pem` or `public_pem` made. Raises ValueError for a wrong passphrase or a damaged file."""
    return ECKey.import_key(pem, password=passphrase) if b"PRIVATE" in pem else ECKey.import_key(pem)


def public_pem(key: Key) -> bytes:
    """The public half (RFC 7468)."""
    return key.as_pem(private=False)


def public_half(public: EllipticCurvePublicKey) -> Key:
    """A public P-256 key as the keys here are."""
    return ECKey(public, public)


def signing_with(private: EllipticCurvePrivateKey) -> Key:
    """A P-256 key that may not leave where it is (`agents.hsm_key`), as the keys here are: its numbers are those of its public half."""
    return ECKey(private, public_jwk(public_half(private.public_key())))


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Says in a sentence why the file of a key cannot be used. Raises NarrowgateError."""
    try:
        yield
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be used: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise NarrowgateError(
            f"The key {path} does not open.", "Its passphrase is another one, or it is damaged."
        ) from None
