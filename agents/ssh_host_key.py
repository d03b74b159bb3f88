"""Which key an SSH host proves to hold: the first key exchange of RFC 4253 and RFC 8731, and nothing after it. No login is used."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

VERSION: Final = b"SSH-2.0-narrowgate"
KEX: Final = b"curve25519-sha256,curve25519-sha256@libssh.org"
HOST_KEYS: Final = b"ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"
CIPHERS: Final = b"chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr"
MACS: Final = b"hmac-sha2-256-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
LONGEST: Final = 35_000
_KEXINIT, _ECDH_INIT, _ECDH_REPLY = 20, 30, 31
_IGNORED: Final = frozenset({2, 3, 4})


class NotSsh(Exception):
    """What answers does not speak SSH, or does not prove that it holds its key. The message is ours."""


def fingerprint_of(stream: socket.socket) -> tuple[str, str]:
    """The fingerprint (SHA256:…) of the key that the host proves to hold, and its software. Raises NotSsh and OSError."""
    with stream.makefile("rb") as reader:  # open, it would keep the connection after whoever opened that has closed it
        return _first_exchange(stream, reader)


def _first_exchange(stream: socket.socket, reader: Any) -> tuple[str, str]:  # noqa: ANN401 -- a buffered reader
    theirs = _banner(reader)
    stream.sendall(VERSION + b"\r\n")
    ours_init = _kexinit()
    stream.sendall(_packet(ours_init))
    their_init = _read(reader, _KEXINIT)
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    stream.sendall(_packet(bytes([_ECDH_INIT]) + _string(public)))
    try:
        host_key, their_public, signature = _strings(_read(reader, _ECDH_REPLY)[1:], 3)
        shared = private.exchange(X25519PublicKey.from_public_bytes(their_public))
        exchanged = b"".join(map(_string, (VERSION, theirs, ours_init, their_init, host_key, public, their_public)))
        _verify(host_key, signature, hashlib.sha256(exchanged + _mpint(shared)).digest())
    except (ValueError, struct.error, IndexError, InvalidSignature, UnsupportedAlgorithm):
        raise NotSsh("The host does not prove that it holds the key it shows.") from None
    digest = base64.b64encode(hashlib.sha256(host_key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}", theirs.decode("ascii", "replace")[8:48]


def _banner(reader: Any) -> bytes:  # noqa: ANN401 -- a buffered reader
    for _ in range(20):  # a host may say other lines before
        line: bytes = reader.readline(256)
        if line.startswith(b"SSH-2.0-"):
            return line.rstrip(b"\r\n")
        if not line.endswith(b"\n"):
            break
    raise NotSsh("What listens there does not speak SSH 2.")


def _kexinit() -> bytes:
    lists = (KEX, HOST_KEYS, CIPHERS, CIPHERS, MACS, MACS, b"none", b"none", b"", b"")
    return bytes([_KEXINIT]) + os.urandom(16) + b"".join(map(_string, lists)) + b"\x00" + bytes(4)


def _packet(payload: bytes) -> bytes:
    room = 8 - (len(payload) + 5) % 8
    room += 8 if room < 4 else 0
    return struct.pack(">IB", len(payload) + room + 1, room) + payload + os.urandom(room)


def _read(reader: Any, wanted: int) -> bytes:  # noqa: ANN401 -- a buffered reader
    for _ in range(10):
        length, room = struct.unpack(">IB", _exactly(reader, 5))
        if not room + 2 <= length <= LONGEST:
            break
        payload = _exactly(reader, length - 1)[: length - room - 1]
        if payload[0] == wanted:
            return payload
        if payload[0] not in _IGNORED:
            break
    raise NotSsh("The host and the gate share no way of exchanging keys.")


def _exactly(reader: Any, count: int) -> bytes:  # noqa: ANN401 -- a buffered reader
    found: bytes = reader.read(count)
    if len(found) != count:
        raise NotSsh("The host hung up: the two share no way of exchanging keys.")
    return found


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _strings(data: bytes, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack(">I", data[:4])
        if length > len(data) - 4:
            raise ValueError("cut short")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def _mpint(secret: bytes) -> bytes:
    bare = secret.lstrip(b"\x00")
    return _string(b"\x00" + bare if bare and bare[0] & 0x80 else bare)


def _verify(host_key: bytes, signature: bytes, digest: bytes) -> None:
    """Raises InvalidSignature, ValueError or UnsupportedAlgorithm unless `signature` of `digest` is by `host_key`."""
    (name,) = _strings(host_key, 1)
    key = load_ssh_public_key(name + b" " + base64.b64encode(host_key))
    how, value = _strings(signature, 2)
    if isinstance(key, ed25519.Ed25519PublicKey) and how == b"ssh-ed25519":
        key.verify(value, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and how == b"ecdsa-sha2-nistp256":
        r, s = (int.from_bytes(part) for part in _strings(value, 2))
        key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPublicKey) and how in {b"rsa-sha2-256", b"rsa-sha2-512"}:
        key.verify(value, digest, padding.PKCS1v15(), hashes.SHA512() if how.endswith(b"512") else hashes.SHA256())
    else:
        raise ValueError("another kind of key")
