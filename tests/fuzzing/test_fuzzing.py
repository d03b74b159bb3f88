"""Each parser is fuzzed for two seconds, from seeds that reach into it: no crash, no hang, nothing that passes undecided.

FUZZ_SECONDS says for how long each, for a run over night: `FUZZ_SECONDS=3600 script/test tests/fuzzing`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from gateway.postgres.catalog import Catalog
from tests.fuzzing.targets import CATALOG, TARGETS
from tests.gateway.sql.conftest import catalog, shop, shop_dsn
from tests.gateway.sql.corpus import CORPUS

__all__ = ["catalog", "shop", "shop_dsn"]
SECONDS = os.environ.get("FUZZ_SECONDS", "2")
CORPORA = Path(__file__).parent.parent / "gateway" / "bypass"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def packet(kind: int, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body


def text(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


SEEDS: Mapping[str, Iterable[bytes]] = {
    "frames": [
        b"\x07" + message(b"Q", b"SELECT 1\0"), b"\x09" + message(b"P", b"a\0SELECT $1\0\0\1\0\0\0\x17") + message(b"S", b""),
        b"\x05" + message(b"B", b"\0a\0\0\1\0\0\0\1\0\0\0\1x\0\0") + message(b"E", b"\0\0\0\0\0"), b"\x02" + message(b"D", b"Sa\0"),
    ],
    "answers": [
        message(b"T", b"\0\1id\0" + bytes(6) + b"\0\0\0\x17\0\4" + bytes(6)) + message(b"D", b"\0\1\0\0\0\x011") + message(b"C", b"SELECT 1\0"),
        message(b"E", b"SERROR\0C42601\0Mno\0\0"), message(b"S", b"TimeZone\0UTC\0"), message(b"K", bytes(36)), message(b"t", b"\0\1\0\0\0\x17"),
    ],
    "openings": [b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x1b\0\3\0\0user\0ann\0database\0shop\0\0", b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\7abcd"],
    "statements": [case.sql.encode() for case in CORPUS],
    "responses": [
        b"\x10HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"\x20HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"\x05HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"\x09HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nall of it",
    ],
    "addresses": [b"/customers/1?limit=2&sort=-name", b"/a%20b/%C3%A9?q=a%26b&q=", b"/a/..%2f?x", b"//"],
    "calls": [b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refund","arguments":{"amount":1.50}}}', b'{"jsonrpc":"2.0","id":"a","result":{}}'],
    "shells": [b"ls -l | wc -l && rm -rf /tmp/x", b"sh -c \"cat $(find . -exec rm {} ';')\"", b"env A=1 sudo bash <<E\necho `id`\nE"],
    "files": [packet(3, b"\0\0\0\1" + text(b"/etc/passwd") + b"\0\0\0\1\0\0\0\0"), packet(18, b"\0\0\0\2" + text(b"/a") + text(b"/b")), packet(4, b"\0\0\0\3" + text(b"h"))],
    "tokens": [b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJhIn0.AAAA", b"e30.e30."],
}  # fmt: skip
OF_CORPORA: Mapping[str, str] = {"statements": "postgres", "shells": "ssh"}


def seeds(target: str) -> Iterable[bytes]:
    """Inputs that reach into a parser; the public corpus of ways around the gate among them."""
    yield from SEEDS[target]
    if target in OF_CORPORA:
        for case in yaml.safe_load((CORPORA / f"{OF_CORPORA[target]}.yaml").read_text()):
            yield from (value.encode() for value in case.values() if isinstance(value, str))


def test_whatever_arrives_is_read_or_refused(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "catalog").write_bytes(pickle.dumps(catalog))
    for target in TARGETS:
        (tmp_path / target).mkdir()
        for number, seed in enumerate(seeds(target)):
            (tmp_path / target / str(number)).write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzzing", SECONDS, str(tmp_path)]
    environment = {**os.environ, CATALOG: str(tmp_path / "catalog")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    logs = {target: (tmp_path / f"{target}.log").read_text() for target in TARGETS}
    assert [log[-3_000:] for log in logs.values() if "DONE" not in log] == []
    assert done.returncode == 0, done.stderr[-3_000:]
