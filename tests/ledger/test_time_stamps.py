"""RFC 3161: checkpoints are stamped, a stamp that does not hold is not kept, and a package takes stamps along."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger import export, export_selected, queries, verify
from ledger.models import Entry, Timestamp
from ledger.publishing.destinations import DeliveryError, Parcel
from ledger.publishing.publisher import Publisher
from ledger.publishing.stamps import StampDoor, read_roots
from ledger.signer import FileSigner
from ledger.verify_primitives import Unreadable
from tests.ledger.conftest import sequenced, write_entries
from tests.ledger.publishing import Answering, always, answering, log, publish, publisher

__all__ = ["log", "publisher"]  # fixtures

CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
[extensions]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
"""


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=given).stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A time-stamp authority's folder: `root.pem`, its key and certificate, its configuration."""
    folder = tmp_path_factory.mktemp("tsa")
    at = {name: str(folder / name) for name in ("root.key", "root.pem", "tsa.key", "tsa.csr", "tsa.pem", "tsa.cnf")}
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(
        "req", "-x509", *curve, "-keyout", at["root.key"], "-out", at["root.pem"], "-days", "2", "-subj", "/CN=root"
    )
    openssl("req", *curve, "-keyout", at["tsa.key"], "-out", at["tsa.csr"], "-subj", "/CN=tsa")
    issued = ["-CA", at["root.pem"], "-CAkey", at["root.key"], "-days", "1"]
    openssl(
        "x509",
        "-req",
        "-in",
        at["tsa.csr"],
        *issued,
        "-out",
        at["tsa.pem"],
        "-extfile",
        at["tsa.cnf"],
        "-extensions",
        "extensions",
    )
    return folder


def stamped_by(folder: Path) -> Answering:
    def answer(_: str, body: bytes) -> tuple[int, str, bytes]:
        (folder / "query").write_bytes(body)
        names = ["-config", f"{folder}/tsa.cnf", "-signer", f"{folder}/tsa.pem", "-inkey", f"{folder}/tsa.key"]
        said = openssl("ts", "-reply", *names, "-queryfile", f"{folder}/query")
        return 200, "application/timestamp-reply", said

    return answer


def test_checkpoints_are_stamped(
    log: FileSigner, publisher: Callable[..., Publisher], settings: Any, authority: Path, tmp_path: Path
) -> None:
    with answering(stamped_by(authority)) as address:
        settings.LEDGER_TSA, settings.LEDGER_TSA_ROOTS = address, str(authority / "root.pem")
        publish(publisher(), until=Timestamp.objects.exists)
    kept = Timestamp.objects.get()
    assert (kept.size, kept.authority) == (10, address)
    assert abs(datetime.now(UTC) - kept.stamped_at) < timedelta(minutes=1)
    export.export(tmp_path / "package.zip")
    found = verify.verify(tmp_path / "package.zip")
    assert found.ok
    (line,) = [line for line in found.not_checked if "time stamp" in line]
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        archive.extractall(tmp_path)
    command = line.partition("in ROOTS, ")[2].replace("ROOTS", str(authority / "root.pem")).split()
    assert command[0] == "openssl"
    said = subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert b"OK" in said.stdout


def test_a_selection_is_proved_by_a_checkpoint_that_bears_a_stamp(
    log: FileSigner, publisher: Callable[..., Publisher], settings: Any, authority: Path, tmp_path: Path
) -> None:
    with answering(stamped_by(authority)) as address:
        settings.LEDGER_TSA, settings.LEDGER_TSA_ROOTS = address, str(authority / "root.pem")
        publish(publisher(), until=Timestamp.objects.exists)
    write_entries(2)
    sequenced(12)
    found = Entry.objects.filter(index__in=[2, 7]).order_by("index")
    basis = export_selected.basis_over(7)
    assert basis.checkpoint.size == 10
    target = tmp_path / "selected.zip"
    target.write_bytes(b"".join(export_selected.stream(export_selected.pages([list(found)]), basis)))
    report = verify.verify(target)
    assert (report.problems, report.entries) == ([], 2)
    (line,) = [line for line in report.not_checked if "time stamp" in line]
    assert "checkpoint of 10 entries" in line
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path)
    command = line.partition("in ROOTS, ")[2].replace("ROOTS", str(authority / "root.pem")).split()
    assert b"OK" in subprocess.run(command, check=True, capture_output=True, cwd=tmp_path).stdout
    newest = queries.last_checkpoint()
    assert newest is not None
    assert export_selected.basis_over(10).checkpoint.size == newest.size  # no stamp is over it yet


def test_a_stamp_over_another_text_is_refused(
    log: FileSigner, publisher: Callable[..., Publisher], settings: Any, authority: Path, tmp_path: Path
) -> None:
    with answering(stamped_by(authority)) as address:
        settings.LEDGER_TSA, settings.LEDGER_TSA_ROOTS = address, str(authority / "root.pem")
        publish(publisher(), until=Timestamp.objects.exists)
    export.export(tmp_path / "package.zip")
    for text in (b"another text\n", b""):
        with (
            zipfile.ZipFile(tmp_path / "package.zip") as archive,
            zipfile.ZipFile(tmp_path / "other.zip", "w") as other,
        ):
            for name in archive.namelist():
                other.writestr(name, text if name == "stamps/10.txt" else archive.read(name))
        with pytest.raises(Unreadable, match=r"stamps/10\.txt is not the checkpoint of 10 entries"):
            verify.verify(tmp_path / "other.zip")


def test_a_stamp_that_does_not_hold_is_not_kept(authority: Path, tmp_path: Path) -> None:
    parcel, roots = Parcel(1, "note", "note"), read_roots(authority / "root.pem")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(tmp_path / "k"),
            "-out", str(tmp_path / "other.pem"), "-subj", "/CN=other")  # fmt: skip
    good = stamped_by(authority)
    with answering(good) as address:
        assert StampDoor(address, roots).send(parcel).stamp is not None
        with pytest.raises(DeliveryError, match="no time stamp that holds"):
            StampDoor(address, read_roots(tmp_path / "other.pem")).send(parcel)
        once = good("", (authority / "query").read_bytes())
    for odd in (once, (200, "x", b"noise"), (200, "x", b"")):
        with answering(partial(always, odd)) as address, pytest.raises(DeliveryError, match="no time stamp"):
            StampDoor(address, roots).send(parcel)
    with answering(lambda *_: (500, "x", b"")) as address, pytest.raises(DeliveryError, match="status 500"):
        StampDoor(address, roots).send(parcel)
