"""Check a package of evidence from the ledger, offline: `python3 verify.py evidence.zip [--checkpoint FILE]`.

In an export this is one file on the standard library (Python 3.9 or newer), so that it can be read and run by somebody
who trusts nothing else of ours. Formats: RFC 6962 tree, RFC 8032 Ed25519, C2SP signed-note and tlog-checkpoint.

1. Open the package and read its manifest and keys.  2. Read the entries in order: bytes, canonical form, numbers of
their nodes, time, and where the log's key hands over to another.  3. At each checkpoint: signature by the key in force
there, and the root that the entries give; equal roots also prove that each checkpoint continues the one before.
4. Compare the end with the head, the nodes, the keys, a checkpoint held outside, and what witnesses cosigned.
5. Where the package carries a report: the entry that states its files' hashes is in the tree, and the files are those.
6. Where people signed a decision with a passkey: the signature holds, over exactly what its entry says was decided.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.verify_keys import KeyHistory
from ledger.verify_package import REPORT_FILES, Package, people_in
from ledger.verify_passkeys import Passkeys
from ledger.verify_primitives import (
    WITNESS,
    Checkpoint,
    KeyName,
    Keys,
    Tree,
    Unreadable,
    from_base64,
    heights,
    is_canonical,
    leaf_of,
    open_note,
    read_count,
    read_key,
    read_object,
    root_by_path,
)
from ledger.verify_report import Report
from ledger.verify_witnesses import Witnesses

SLACK = timedelta(minutes=10)  # how far entries of different nodes may be out of order in time
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Checks:
    """Steps 2 to 4 of the module, on one package; what they find goes into `report`."""

    def __init__(self, package: Package, held: Checkpoint | None, key: str | None, witnesses: Sequence[str]) -> None:
        self.package, self.held, self.report = package, held, Report()
        self.given = None if key is None else read_key(key)[0]
        asked: Keys = dict(read_key(one, WITNESS) for one in witnesses)
        self.asked: list[KeyName] = list(asked)
        self.witnesses = Witnesses(asked or package.witnesses())
        self.tree = Tree()
        self.selected = package.manifest.get("selected") is True  # entries here and there, each with its path
        self.keys = KeyHistory(package.keys)
        self.before, self.after = package.handovers()
        self.passkeys = Passkeys()
        self.nodes: dict[str, tuple[int, str]] = {}  # the last number and time of each
        self.people: set[str] = set()  # commitments to names that no line has opened yet
        self.newest = datetime(1970, 1, 1)  # noqa: DTZ001 -- times here are all UTC
        self.good = 0  # entries up to here are covered by a checkpoint that agrees
        self.held_met = False
        self.led_to: list[bytes] = []  # roots, by the handovers outside this package's entries
        self.marks = package.checkpoints()
        self.mark = next(self.marks, None)
        self.first, self.last, self.size = map(package.number, ("first", "last", "size"))

    def run(self) -> Report:
        """Do them all."""
        if not self.first <= self.last <= self.size:
            raise Unreadable("The manifest's counts contradict each other.")
        self._handed(self.before)
        if self.selected:
            return self._run_selected()
        self._push("left", 0, self.first)
        self.good = self.first
        if self._entries():
            self._handed(self.after)
            self._push("right", self.last, self.size)
            self._end()
            self._keys()
            self._cosigned()
            self._names()
            self._attached()
        self._say()
        return self.report

    def _handed(self, handovers: Sequence[tuple[int, bytes, list[bytes]]]) -> None:
        """Follow the handovers of the key outside this package's entries; `_keys` compares the roots they lead to."""
        for index, leaf, path in handovers:
            self.keys.read(index, leaf)
            self.led_to.append(root_by_path(index, self.size, hashlib.sha256(b"\x00" + leaf).digest(), path))

    def _push(self, name: str, begin: int, end: int) -> None:
        hashes, wanted = self.package.hashes(name), list(heights(begin, end))
        if len(hashes) != len(wanted):
            raise Unreadable(f"The manifest's {name} has {len(hashes)} hashes instead of {len(wanted)}.")
        for height, node in zip(wanted, hashes):  # noqa: B905 -- `strict` is newer than 3.9; lengths are equal
            self.tree.push(height, node)
        self._compare()

    def _entries(self) -> bool:
        """Read the entries; False when one is missing, because nothing after it can be proved."""
        for line in self.package.lines("entries.ndjson"):
            found = read_object(line, f"The line of entry {self.tree.size}")
            index = read_count(found.get("index"), "An entry's index")
            if index != self.tree.size or index >= self.last:
                there = f"Entry {self.tree.size} is missing: entry {index} is in its place."
                self.report.add("indexes", there, min(index, self.tree.size))
                return False
            leaf = leaf_of(found)
            digest = hashlib.sha256(b"\x00" + leaf).digest()
            if digest != from_base64(found.get("hash"), "a hash"):
                self.report.add("bytes", f"Entry {index}: its bytes do not give the hash recorded for it.", index)
            self._content(index, leaf)
            self.keys.read(index, leaf)
            self.tree.push(0, digest)
            self.report.entries += 1
            self._compare()
        if self.tree.size < self.last:
            there = f"Entry {self.tree.size} is missing: the package ends before it, though {self.last} are stated."
            self.report.add("indexes", there, self.tree.size)
        return self.tree.size == self.last

    def _run_selected(self) -> Report:
        """The same for entries that do not follow each other: each leads to the root that the checkpoint signs."""
        self._handed(self.after)
        size, note = self.mark or (0, "")
        try:
            signed = open_note(note, self.keys.in_force(size))
            if (signed.size, size, signed.origin) != (self.size, self.size, self.package.manifest.get("origin")):
                self.report.add("signatures", f"The checkpoint of {size} entries is one of another log or size.")
        except Unreadable as error:
            raise Unreadable(f"The checkpoint of {size} entries: {error}.") from None
        self.report.checkpoints, self.good = 1, self.size
        self.witnesses.read(size, note)
        self.tree.push(0, signed.root)
        if self.held is not None and self.held.size == size:
            self.held_met = True
            if self.held.root != signed.root:
                self.report.add("outside", f"The checkpoint you hold for {size} entries has another root.")
        before = -1
        for line in self.package.lines("entries.ndjson"):
            before = self._one_selected(read_object(line, f"The line after entry {before}"), before)
        if self.report.entries != self.package.number("entries"):
            stated = self.package.number("entries")
            self.report.add("indexes", f"{stated} entries are stated, {self.report.entries} are here.")
        self._keys()
        self._cosigned()
        self._names()
        self._say()
        return self.report

    def _one_selected(self, found: dict[str, Any], before: int) -> int:
        index, path = read_count(found.get("index"), "An entry's index"), found.get("path")
        if index <= before:
            self.report.add("indexes", f"Entry {index} stands after entry {before}.", index)
        leaf = leaf_of(found)
        digest = hashlib.sha256(b"\x00" + leaf).digest()
        if digest != from_base64(found.get("hash"), "a hash"):
            self.report.add("bytes", f"Entry {index}: its bytes do not give the hash recorded for it.", index)
        self._content(index, leaf)
        hashes = [from_base64(part, "a hash") for part in path] if isinstance(path, list) else []
        if root_by_path(index, self.size, digest, hashes) != self.tree.root():
            self.report.add("root", f"Entry {index} does not lead to the root that the checkpoint signs.", index)
        self.report.entries += 1
        return max(before, index)

    def _content(self, index: int, leaf: bytes) -> None:
        try:
            says = read_object(leaf, "it")
        except Unreadable:
            self.report.add("form", f"Entry {index} is not a JSON object.", index)
            return
        if not is_canonical(leaf, says):
            self.report.add("form", f"Entry {index} is not in canonical form.", index)
        self.people.update(people_in(says))
        self.passkeys.read(index, says, self.report)
        node, number, recorded = says.get("node"), says.get("node_seq"), says.get("recorded")
        if not isinstance(node, str) or type(number) is not int or not MOMENT.fullmatch(str(recorded)):
            self.report.add("form", f"Entry {index} does not say its node, number and time.", index)
            return
        known = 0 if self.first == 0 and not self.selected else number - 1
        before, then = self.nodes.get(node, (known, ""))
        if number <= before if self.selected else number != before + 1:
            gap = f"Entry {index}: number {number} of node {node} follows number {before}; those between are missing."
            self.report.add("numbers", gap, index)
        moment = datetime.fromisoformat(str(recorded)[:-1])
        if str(recorded) < then or moment < self.newest - SLACK:
            self.report.add("time", f"Entry {index} is dated {recorded}, before entries that precede it.", index)
        self.newest = max(self.newest, moment)
        self.nodes[node] = (number, str(recorded))

    def _compare(self) -> None:
        """Step 3, at the size that the tree has now."""
        root, size = self.tree.root, self.tree.size
        if self.held is not None and self.held.size == size:
            self.held_met = True
            if self.held.root != root():
                self.report.add("outside", f"The checkpoint you hold for {size} entries has another root.")
        while self.mark is not None and self.mark[0] <= size:
            self._checkpoint(self.mark[0], self.mark[1], root())
            self.mark = next(self.marks, None)

    def _checkpoint(self, size: int, note: str, root: bytes) -> None:
        self.report.checkpoints += 1
        try:
            signed = open_note(note, self.keys.in_force(size))
        except Unreadable as error:
            why = self.keys.why_not(note, size) or str(error)
            self.report.add("signatures", f"The checkpoint of {size} entries: {why}.")
            return
        if signed.size != size or signed.origin != self.package.manifest.get("origin"):
            self.report.add("signatures", f"The checkpoint of {size} entries is one of another log or size.")
        elif size != self.tree.size or signed.root != root:
            among = f"among entries {self.good} to {size - 1}" if size - self.good != 1 else f"entry {self.good}"
            message = (
                f"The entries do not give the root that the checkpoint of {size} signs: the first wrong one is {among}."
            )
            self.report.add("root", message, self.good if size - self.good == 1 else None)
        else:
            self.good = size
            self.witnesses.read(size, note)

    def _end(self) -> None:
        """Step 4."""
        if self.mark is not None or (self.good != self.size and self.report.ok):
            self.report.add("signatures", f"No checkpoint signs all {self.size} entries.")
        if self.held is not None and not self.held_met:
            cut = f"The checkpoint you hold covers {self.held.size} entries, this package {self.size}"
            why = "entries were cut off its end, or it is older" if self.held.size > self.size else "not comparable"
            self.report.add("outside", f"{cut}: {why}.")
        if self.first or self.last != self.size:
            return
        head = self.package.manifest.get("head")
        if head != self.size:
            gone = f"The log had {head} entries, the package has {self.size}: entries or checkpoints are missing."
            self.report.add("head", gone, self.size)
        nodes = self.package.manifest.get("nodes")
        if not isinstance(nodes, dict):
            raise Unreadable("The manifest does not say how many numbers each node gave.")
        for node in sorted({*nodes, *self.nodes}):
            number, seen = nodes.get(node, 0), self.nodes.get(node, (0, ""))[0]
            if number != seen:
                self.report.add("numbers", f"Node {node} gave numbers up to {number}; its last entry here has {seen}.")

    def _keys(self) -> None:
        """Each key but the first was introduced by an entry of this ledger, which the key before it signed."""
        if any(root != self.tree.root() for root in self.led_to):
            self.report.add("keys", "A handover from one key to the next is not in this ledger.")
        for name in self.keys.unknown():
            self.report.add("keys", f"keys.txt has the key {name}, which no key before it introduced.")

    def _names(self) -> None:
        """Each name that the package gives is the one that an entry committed to."""
        opened = 0
        for commitment, salt, name in self.package.names():
            if f"sha256:{hashlib.sha256(salt + name.encode()).hexdigest()}" != commitment:
                self.report.add("names", f"names.ndjson gives the name {name!r}, which no entry committed to.")
            self.people.discard(commitment)
            opened += 1
        if opened:
            self.report.checked.append(f"names and reasons of people that it opens: {opened}")

    def _cosigned(self) -> None:
        """The witnesses: each that you gave has cosigned a checkpoint, and no newest cosignature is a false one."""
        try:
            held = self.witnesses.held()
        except Unreadable as error:
            self.report.add("cosignatures", f"Under a checkpoint {error}.")
            return
        for asked in self.asked:
            if asked not in held:
                self.report.add("cosignatures", f"The witness {asked[0]} has cosigned no checkpoint of this package.")
        for (name, _), (size, moment) in sorted(held.items()):
            self.report.checked.append(f"the witness {name} cosigned the checkpoint of {size} entries, {moment}")
        if held and not self.asked:
            self.report.not_checked.append("that witnesses.txt names witnesses whom others run: give keys of yours")
        largest = max((size for size, _ in held.values()), default=0)
        if largest < self.last:
            self.report.not_checked.append(
                f"entries from {max(largest, self.first)} on by any witness: none has cosigned them"
            )

    def _attached(self) -> None:
        """Step 5."""
        stated = self._stated(self.package.report) if self.package.report is not None else {}
        for name in sorted({*stated, *self.package.attached}):
            if name not in stated:
                self.report.add(name, f"{name} is no file of a report that an entry of this ledger states.")
            elif name not in self.package.attached:
                self.report.add(name, f"{name} is missing: the report's entry states it.")
            elif self.package.digest(name) != stated[name]:
                self.report.add(name, f"{name} is not the file that was made: its entry states another hash.")
        if stated and self.report.ok:
            files = f"the report's {len(stated)} files" if len(stated) > 1 else "the report's file"
            self.report.checked.append(f"{files}, by the hashes that an entry of the ledger states")

    def _stated(self, bound: dict[str, Any]) -> dict[str, str]:
        """The hash of each of the report's files, once the entry that states them is found in the tree."""
        path, leaf = bound.get("path"), str(bound.get("leaf")).encode()
        index = read_count(bound.get("index"), "The place of the report's entry")
        hashes = [from_base64(part, "a hash") for part in path] if isinstance(path, list) else []
        if root_by_path(index, self.size, hashlib.sha256(b"\x00" + leaf).digest(), hashes) != self.tree.root():
            self.report.add("report", f"The report's entry, said to be entry {index}, is not in this ledger.")
            return {}
        says = read_object(leaf, "The report's entry")
        files = (says.get("details") or {}).get("files") if says.get("event") == "report:made" else None
        if not isinstance(files, dict):
            raise Unreadable("report.json does not hold the entry of a report.")
        return {f"{REPORT_FILES}{name}": str(digest) for name, digest in files.items()}

    def _say(self) -> None:
        report, package, left = self.report, self.package, self.report.not_checked
        report.checked += ["each entry's bytes, canonical form, index, node's number and time order"]
        report.checked += ["each checkpoint's signature, and that each continues the one before"]
        if handovers := self.keys.handovers:
            report.checked += [f"{handovers} change{'s' * (handovers > 1)} of the log's key, each signed by both keys"]
        self.passkeys.say(report)
        if self.given is None:
            left.append("that keys.txt holds the keys of the organisation: compare them with a copy of your own")
        elif self.given not in self.keys.in_force(self.size):
            left.append("that the log's newest key is the organisation's: the key you gave handed over to it")
        if self.held is None:
            left += ["that nobody was shown another ledger, or a longer one: give a checkpoint you hold"]
        else:
            report.checked += [f"the checkpoint that you hold, of {self.held.size} entries"]
        if self.selected:
            left += ["that these are all the entries that were asked for: others lie between them"]
        elif self.first or self.last != self.size:
            left.append(f"entries before {self.first} and from {self.last} on, which are not in this package")
        if (existing := package.manifest.get("existing_checkpoints")) != report.checkpoints:
            left += [f"checkpoints beyond these: {existing} exist, {report.checkpoints} are here"]
        left += [f"{name}, which is no part of the format" for name in package.unknown[:5]]
        if self.people:
            left += [f"names of people that it does not open: {len(self.people)}, erased or not given"]
        left += [*package.stamped(), "texts that entries only commit to"]


def _held(path: Path, keys: Keys) -> Checkpoint:
    try:
        return open_note(path.read_text(encoding="utf-8"), keys)
    except Unreadable as error:
        raise Unreadable(f"The checkpoint that you hold cannot be compared: {error}.") from None


def verify(path: Path, against: Path | None = None, key: str | None = None, witnesses: Sequence[str] = ()) -> Report:
    """Check the package at `path`, also against a checkpoint, a key and witnesses' keys held outside. Raises Unreadable only."""
    try:
        with zipfile.ZipFile(path) as archive:
            package = Package(archive)
            if key is not None:
                package.keep_to(read_key(key))
            held = None if against is None else _held(against, package.keys)
            return Checks(package, held, key, witnesses).run()
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"The file {error.filename or path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # noqa: BLE001 -- whatever a hostile file makes a library raise, it is not valid
        raise Unreadable(f"The package is damaged ({type(error).__name__}: {str(error)[:200]}).") from None


def say(path: Path, against: Path | None = None, key: str | None = None, witnesses: Sequence[str] = ()) -> int:
    """Print what `verify` finds; the exit status is 0 only for a valid package."""
    try:
        report = verify(path, against, key, witnesses)
    except Unreadable as error:
        print(f"NOT VALID: {error}")
        return 1
    print("\n".join(report.lines()))
    return 0 if report.ok else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 only for a valid package."""
    parser = argparse.ArgumentParser(description="Check a package of evidence, offline.")
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that you hold")
    parser.add_argument("--key", help="the verifier key that you were given: name+hash+key")
    parser.add_argument("--witness", action="append", default=[], help="the key of a witness that must have cosigned")
    given = parser.parse_args(arguments)
    return say(given.evidence, given.checkpoint, given.key, given.witness)


if __name__ == "__main__":
    sys.exit(main())
