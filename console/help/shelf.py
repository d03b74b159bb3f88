"""The documents that are the help, in the order in which docs/README.md links to them; read once a process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse

from console.help.markdown import Addresses, Document, Section, links, read

CONTENTS = "docs/README.md"
MOST_FOUND = 30
AROUND = 90  # characters of a section's words shown on each side of what was looked for


@dataclass(frozen=True)
class Volume:
    """One document: what it is about is said where it is linked."""

    slug: str
    group: str
    about: str
    document: Document
    address: str  # where it is read

    @property
    def parts(self) -> Sequence[Section]:
        """Its sections of the second level: what its own list of contents names."""
        return [section for section in self.document.sections if section.level == 2]


@dataclass(frozen=True)
class Found:
    """A section that a search found; `pieces` are some of its words, every second of them looked for."""

    volume: Volume
    section: Section
    pieces: tuple[str, ...]

    @property
    def address(self) -> str:
        """Where it is read, to the heading."""
        return self.volume.address + (f"#{self.section.anchor}" if self.section.level > 1 else "")


@dataclass(frozen=True)
class Shelf:
    """All documents, and the address of their contents."""

    volumes: tuple[Volume, ...]
    address: str

    @property
    def groups(self) -> list[tuple[str, list[Volume]]]:
        """The documents under the headings of the contents."""
        return [(name, list(volumes)) for name, volumes in groupby(self.volumes, key=lambda one: one.group)]

    def volume(self, slug: str) -> Volume | None:
        """The document of that name, or None."""
        return next((one for one in self.volumes if one.slug == slug), None)

    def heading(self, slug: str, anchor: str) -> str:
        """The words of a section's heading, or of the document's title; empty where there is none."""
        volume = self.volume(slug)
        if volume is None or not anchor:
            return volume.document.title if volume else ""
        return next((one.heading for one in volume.document.sections if one.anchor == anchor), "")

    def find(self, text: str) -> list[Found]:
        """Sections that hold every word of `text`: first those with a word in their heading, then in the shelf's order."""
        wanted = text.lower().split()
        if not wanted:
            return []
        hits = [
            (volume, section)
            for volume in self.volumes
            for section in volume.document.sections
            if all(word in f"{volume.document.title} {section.heading} {section.text}".lower() for word in wanted)
        ]
        hits.sort(key=lambda hit: -sum(word in hit[1].heading.lower() for word in wanted))
        return [Found(volume, section, tuple(_excerpt(section.text, wanted))) for volume, section in hits[:MOST_FOUND]]


@cache
def shelf() -> Shelf:
    """The documents as the console shows them, read now or earlier by this process."""
    console = Addresses(lambda slug: reverse("help:document", args=[slug]), _picture, _place)
    return stocked(console, reverse("help:contents"))


def stocked(addresses: Addresses, contents: str) -> Shelf:
    """Read the documents; `addresses` give that of a document by its slug, `contents` is that of them all."""
    listing = Path(settings.BASE_DIR) / CONTENTS
    listed = [
        (group, (listing.parent / target).resolve(), about)
        for group, target, about in links(listing.read_text(encoding="utf-8"))
    ]
    slugs = {path: _slug(path) for _, path, _ in listed}
    volumes = (
        Volume(
            slugs[path],
            group,
            about,
            read(path.read_text(encoding="utf-8"), _seen_from(path, slugs, addresses)),
            addresses.document(slugs[path]),
        )
        for group, path, about in listed
    )
    return Shelf(tuple(volumes), contents)


def _slug(path: Path) -> str:
    return path.stem.lower().replace("_", "-")


def _seen_from(path: Path, slugs: dict[Path, str], addresses: Addresses) -> Addresses:
    """How what the document at `path` names is reached. What is not there stays as it is written: tests look for it."""

    def document(target: str) -> str:
        name, mark, anchor = target.partition("#")
        slug = slugs.get((path.parent / name).resolve())
        return addresses.document(slug) + mark + anchor if slug else target

    return replace(addresses, document=document)


def _picture(target: str) -> str:
    name = f"help/{Path(target).name}"
    try:
        return static(name)
    except ValueError:  # it was not gathered; that takes no page with it
        return f"{settings.STATIC_URL}{name}"


def _place(path: str) -> str:
    try:
        resolve(path)
    except Resolver404:
        return ""
    return path


def _excerpt(text: str, wanted: Sequence[str]) -> Iterator[str]:
    """Words around the first that was looked for; every second piece is one that was."""
    pattern = re.compile("(" + "|".join(re.escape(word) for word in wanted) + ")", re.IGNORECASE)
    first = pattern.search(text)
    middle = first.start() if first else 0
    begin, end = max(0, middle - AROUND), middle + AROUND
    begin = text.find(" ", begin) + 1 if begin else 0
    cut = text[begin:end].rsplit(" ", 1)[0] if end < len(text) else text[begin:]
    yield from pattern.split(f"{'… ' if begin else ''}{cut}{' …' if end < len(text) else ''}")
