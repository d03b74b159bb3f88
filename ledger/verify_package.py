"""The package that verify.py checks: a ZIP whose files are read as streams. Pure, on the standard library alone."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from ledger.verify_primitives import WITNESS, KeyName, Keys, Unreadable, from_base64, read_count, read_key, read_object

FORMAT = "narrowgate-evidence-1"
FILES = {"manifest.json", "keys.txt", "entries.ndjson", "checkpoints.ndjson"}
HANDOVERS = (
    "handovers.ndjson"  # where the log's key changed outside the entries of a part, each with its path to the root
)
WITNESSES = "witnesses.txt"  # keys of witnesses whose cosignatures stand under checkpoints
NAMES = "names.ndjson"  # what opens the commitments to people's names that entries hold
EXTRAS = {"README.txt", "verify.py", "verify.html", "checkpoint.txt", HANDOVERS, NAMES, WITNESSES}
REPORT, REPORT_FILES = "report.json", "report/"  # a report's entry with its path to the root, and the report's files
STAMPS = "stamps/"  # time stamps over checkpoints, by size: SIZE.tsr, and SIZE.txt that it is over
LONGEST_LINE = 1 << 20  # bytes


class Package:
    """The files of a package, read as streams. Raises Unreadable for one that is not whole and plain."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        names = self._zip.namelist()
        if len(names) != len(set(names)):
            raise Unreadable("The package has two files of one name.")
        if missing := sorted(FILES - set(names)):
            raise Unreadable(f"The package has no {missing[0]}.")
        if any(info.flag_bits & 1 or info.compress_type not in (0, 8) for info in self._zip.infolist()):
            raise Unreadable("The package is encrypted or compressed in an unknown way.")
        self._noted: dict[int, str] = {}  # the stamped checkpoints that were read
        self.attached = sorted(name for name in names if name.startswith(REPORT_FILES))
        self.report = read_object(self._whole(REPORT), "report.json") if REPORT in names else None
        self.stamps = {name for name in names if re.fullmatch(STAMPS + r"[1-9][0-9]{0,18}\.(tsr|txt)", name)}
        self.unknown = sorted(set(names) - FILES - EXTRAS - {REPORT} - set(self.attached) - self.stamps)
        self.manifest = read_object(self._whole("manifest.json"), "The manifest")
        if self.manifest.get("format") != FORMAT:
            raise Unreadable("This is no evidence package, or one of a newer kind.")
        self.keys: Keys = dict(read_key(line) for line in self._whole("keys.txt").decode().splitlines() if line)

    def witnesses(self) -> Keys:
        """The witnesses that it names."""
        if WITNESSES not in self._zip.namelist():
            return {}
        return dict(read_key(line, WITNESS) for line in self._whole(WITNESSES).decode().splitlines() if line)

    def keep_to(self, key: tuple[KeyName, bytes]) -> None:
        """Trust `key` and the keys that it handed over to or was handed by; a package that does not know it is judged by it alone."""
        if self.keys.get(key[0]) != key[1]:
            self.keys = dict([key])

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, one at a time."""
        with self._zip.open(name) as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise Unreadable(f"{name} has a line that is too long.")
                yield line

    def number(self, name: str) -> int:
        """A count in the manifest."""
        return read_count(self.manifest.get(name), f"The manifest's {name}")

    def hashes(self, name: str) -> list[bytes]:
        """A list of hashes in the manifest."""
        found = self.manifest.get(name)
        hashes = [from_base64(part, "a hash") for part in found] if isinstance(found, list) else [b""]
        if any(len(part) != 32 for part in hashes):
            raise Unreadable(f"The manifest's {name} is not a list of hashes.")
        return hashes

    def handovers(self) -> tuple[list[tuple[int, bytes, list[bytes]]], list[tuple[int, bytes, list[bytes]]]]:
        """Entries that change the log's key, (index, leaf, path to the root): those before the package's, those after."""
        first, last = self.number("first"), self.number("last")
        found: list[tuple[int, bytes, list[bytes]]] = []
        for line in self.lines(HANDOVERS) if HANDOVERS in self._zip.namelist() else ():
            says = read_object(line, "A handover")
            path = says.get("path")
            hashes = [from_base64(part, "a hash") for part in path] if isinstance(path, list) else []
            found.append((read_count(says.get("index"), "A handover's index"), str(says.get("leaf")).encode(), hashes))
        if [index for index, _, _ in found] != sorted({index for index, _, _ in found}):
            raise Unreadable("The handovers are not in order.")
        return [one for one in found if one[0] < first], [one for one in found if one[0] >= last]

    def names(self) -> Iterator[tuple[str, bytes, str]]:
        """The commitment to each person's name that the package opens, its salt, and the name."""
        for line in self.lines(NAMES) if NAMES in self._zip.namelist() else ():
            found = read_object(line, "A name")
            yield str(found.get("commitment")), from_base64(found.get("salt"), "a salt"), str(found.get("name"))

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """The size and the note of each checkpoint, by size."""
        before = 0
        for line in self.lines("checkpoints.ndjson"):
            found = read_object(line, "A checkpoint")
            size = read_count(found.get("size"), "A checkpoint's size")
            if size <= before:
                raise Unreadable("The checkpoints are not in order.")
            before = size
            if f"{STAMPS}{size}.txt" in self.stamps:
                self._noted[size] = str(found.get("note"))
            yield size, str(found.get("note"))

    def stamped(self) -> Iterator[str]:
        """How each time stamp over a checkpoint that was read is checked: a matter for openssl. Raises Unreadable for one over another text."""
        for size, note in sorted(self._noted.items()):
            text = self._whole(f"{STAMPS}{size}.txt").decode("utf-8", "replace")
            if not text or not note.startswith(text):
                raise Unreadable(f"{STAMPS}{size}.txt is not the checkpoint of {size} entries.")
            if f"{STAMPS}{size}.tsr" in self.stamps:
                files = f"-data {STAMPS}{size}.txt -in {STAMPS}{size}.tsr"
                yield (
                    f"the time stamp over the checkpoint of {size} entries: with the package unpacked and the authority's "
                    f"certificates in ROOTS, openssl ts -verify {files} -CAfile ROOTS"
                )

    def digest(self, name: str) -> str:
        """The SHA-256 of a file, as entries state it."""
        found = hashlib.sha256()
        with self._zip.open(name) as file:
            while part := file.read(LONGEST_LINE):
                found.update(part)
        return f"sha256:{found.hexdigest()}"

    def _whole(self, name: str) -> bytes:
        with self._zip.open(name) as file:
            data = file.read(LONGEST_LINE + 1)
        if len(data) > LONGEST_LINE:
            raise Unreadable(f"{name} is too long.")
        return data


def people_in(says: dict[str, Any]) -> Iterator[str]:
    """The commitments to people's names in what an entry says."""
    for who in (says.get("actor"), says.get("subject"), says.get("on_behalf_of")):
        name = who.get("name") if isinstance(who, dict) and who.get("kind") == "person" else None
        if isinstance(name, str) and name.startswith("sha256:"):
            yield name
