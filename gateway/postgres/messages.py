"""Pure. Builds messages of the PostgreSQL protocol 3.0 and 3.2 (PostgreSQL 18, chapter 54.7), both directions."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = PROTOCOL_3_0 + 2
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104

AUTHENTICATION_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
CLEARTEXT_PASSWORD = b"R\x00\x00\x00\x08\x00\x00\x00\x03"
SYNC = b"S\x00\x00\x00\x04"
FLUSH = b"H\x00\x00\x00\x04"
TERMINATE = b"X\x00\x00\x00\x04"
PARSE_COMPLETE = b"1\x00\x00\x00\x04"

_INT = struct.Struct("!I")
_PAIR = struct.Struct("!II")


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A message of one kind with its length in front of the body."""
    return kind + _INT.pack(len(body) + 4) + body


def text(value: str) -> bytes:
    """A NUL-terminated string. Raises ValueError for a NUL inside, which would end it early."""
    raw = value.encode()
    if b"\x00" in raw:
        raise ValueError("a string in the protocol cannot hold a NUL")
    return raw + b"\x00"


def _fields(fields: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(code.encode() + text(value.replace("\x00", "")) for code, value in fields if value) + b"\x00"


def error_response(sqlstate: str, words: str, *, severity: str = "ERROR", detail: str = "", hint: str = "") -> bytes:
    """ErrorResponse with severity, SQLSTATE and words for people."""
    return message(b"E", _report(severity, sqlstate, words, detail, hint))


def notice_response(words: str, *, severity: str = "NOTICE") -> bytes:
    """NoticeResponse: NOTICE (SQLSTATE 00000), or WARNING (01000)."""
    return message(b"N", _report(severity, "00000" if severity == "NOTICE" else "01000", words, "", ""))


def _report(severity: str, sqlstate: str, words: str, detail: str, hint: str) -> bytes:
    return _fields((("S", severity), ("V", severity), ("C", sqlstate), ("M", words), ("D", detail), ("H", hint)))


def ready_for_query(status: bytes) -> bytes:
    """ReadyForQuery with I (idle), T (in a transaction) or E (in a failed one)."""
    return message(b"Z", status)


def parameter_status(name: str, value: str) -> bytes:
    """ParameterStatus: one setting that the client should know."""
    return message(b"S", text(name) + text(value))


def backend_key_data(process: int, secret: bytes) -> bytes:
    """BackendKeyData: what a later CancelRequest must present. The secret is 4 bytes in 3.0, up to 256 in 3.2."""
    return message(b"K", _INT.pack(process) + secret)


def negotiate_protocol_version(newest: int, unknown: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion: the newest version spoken here, and the protocol options not understood."""
    return message(b"v", _PAIR.pack(newest, len(unknown)) + b"".join(text(name) for name in unknown))


def startup(parameters: Mapping[str, str], version: int = PROTOCOL_3_0) -> bytes:
    """The start-up packet, which has no type byte."""
    pairs = b"".join(text(name) + text(value) for name, value in parameters.items())
    body = _INT.pack(version) + pairs + b"\x00"
    return _INT.pack(len(body) + 4) + body


def ssl_request() -> bytes:
    """SSLRequest, which has no type byte."""
    return _PAIR.pack(8, SSL_REQUEST)


def cancel_request(process: int, secret: bytes) -> bytes:
    """CancelRequest, which has no type byte."""
    return struct.pack("!III", 12 + len(secret), CANCEL_REQUEST, process) + secret


def password(value: str) -> bytes:
    """PasswordMessage."""
    return message(b"p", text(value))


def sasl_initial_response(mechanism: str, first: bytes) -> bytes:
    """SASLInitialResponse: the mechanism chosen and its first message."""
    return message(b"p", text(mechanism) + _INT.pack(len(first)) + first)


def sasl_response(answer: bytes) -> bytes:
    """SASLResponse."""
    return message(b"p", answer)


def query(sql: str) -> bytes:
    """Query: the simple protocol."""
    return message(b"Q", text(sql))


def parse(name: str, sql: str) -> bytes:
    """Parse without parameter types."""
    return message(b"P", text(name) + text(sql) + b"\x00\x00")


def describe_portal(portal: bytes) -> bytes:
    """Describe of a portal whose name is given as it came."""
    return message(b"D", b"P" + portal + b"\x00")


def data_row(values: Sequence[bytes | None]) -> bytes:
    """DataRow: one value a column, None for NULL."""
    parts = [struct.pack("!H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts.append(_INT.pack(len(value)))
            parts.append(value)
    return message(b"D", b"".join(parts))
