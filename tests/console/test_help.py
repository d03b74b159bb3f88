"""The help: complete, safe, linked from where it is needed, and found by its words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import resolve, reverse

from accounts.models import User
from console.help import site
from console.help.markdown import Addresses, anchor, links, read
from console.help.shelf import shelf
from console.help.written import run
from tests.cast import Cast

ROOT = Path(__file__).parents[2]
ROLES = ("reviewer", "ciso", "auditor", "engineer", "owner", "administrator")
PLAIN = Addresses(lambda target: f"/doc/{target}", lambda target: f"/pic/{target}", lambda path: path)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


class _Targets(HTMLParser):
    """What a page leads to and shows."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "img":
            self.pictures.append((given.get("src") or "", given.get("alt") or ""))


def _targets(html: str) -> _Targets:
    parser = _Targets()
    parser.feed(html)
    return parser


def test_markup_in_a_document_is_shown_and_never_taken() -> None:
    html = read("# T\n\n<script>alert(1)</script> [x](javascript:alert(1))\n", PLAIN).html
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_a_document_gives_anchors_addresses_and_sections() -> None:
    document = read("# T\n\nFirst.\n\n## Why, exactly?\n\nSee [a](a.md#b), `/queue/`, ![p](images/p.png).\n", PLAIN)
    assert document.title == "T"
    assert [(one.anchor, one.level) for one in document.sections] == [("t", 1), ("why-exactly", 2)]
    for part in ('id="why-exactly"', 'href="/doc/a.md#b"', '<a href="/queue/"><code>', 'src="/pic/images/p.png"'):
        assert part in document.html
    assert document.sections[0].text == "First."


def test_a_header_without_words_is_no_header() -> None:
    html = read("# T\n\n| | a |\n|---|---|\n| 1 | 2 |\n", PLAIN).html
    assert "<td></td>\n<th>a</th>" in html
    assert "style=" not in html


def test_anchors_are_those_of_github() -> None:
    assert anchor("2. Unmask a tag") == "2-unmask-a-tag"
    assert anchor("`narrowgate sql AGENT`") == "narrowgate-sql-agent"


def test_every_document_is_on_the_shelf() -> None:
    listed = {Path(target).name for _, target, _ in links((ROOT / "docs" / "README.md").read_text())}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed
    assert {volume.slug for volume in shelf().volumes} >= set(ROLES)


def test_what_the_documents_lead_to_and_show_is_there() -> None:
    for volume in shelf().volumes:
        found = _targets(volume.document.html)
        for target in found.links:
            assert target.startswith("https://") or _leads_somewhere(target, volume.slug), f"{volume.slug}: {target}"
        for source, says in found.pictures:
            assert finders.find(source.removeprefix(settings.STATIC_URL)), f"{volume.slug}: {source}"
            assert says, f"{source} says nothing to those who do not see it"


def _leads_somewhere(target: str, here: str) -> bool:
    path, _, section = target.partition("#")
    if path:
        resolve(path)
    slug = path.strip("/").rpartition("/")[2] if path else here
    return not section or bool(shelf().heading(slug, section))


def test_every_link_of_a_page_to_the_help_leads_somewhere() -> None:
    used = {
        match
        for path in (ROOT / "templates").rglob("*.html")
        for match in re.findall(r'{% help "([^"]*)"(?: "([^"]*)")?', path.read_text())
    }
    assert len(used) >= 10
    assert not {(slug, section) for slug, section in used if not shelf().heading(slug, section)}


def test_a_search_finds_sections_that_hold_every_word_headings_first() -> None:
    found = shelf().find("baselines targets")
    assert found[0].address == f"{reverse('help:document', args=['ciso'])}#set-baselines-and-targets"
    assert shelf().find("no such words anywhere zzz") == []
    assert shelf().find("  ") == []


def test_the_help_is_for_everybody_who_is_signed_in(cast: Cast) -> None:
    for who in (*ROLES, "outsider"):
        client = _as(getattr(cast, who))
        assert client.get(reverse("help:contents")).status_code == 200
        assert client.get(reverse("help:document", args=["reviewer"])).status_code == 200
    assert Client().get(reverse("help:contents")).status_code == 302
    assert Client().get(reverse("help:document", args=["reviewer"])).status_code == 302


def test_what_is_for_a_role_comes_first(cast: Cast) -> None:
    assert "For you" in _as(cast.reviewer).get(reverse("help:contents")).content.decode()
    assert "For you" not in _as(cast.outsider).get(reverse("help:contents")).content.decode()


def test_what_is_not_there_is_404_and_what_was_typed_is_escaped_and_kept(cast: Cast) -> None:
    client = _as(cast.reviewer)
    assert client.get("/help/nothing/").status_code == 404
    page = client.get(reverse("help:contents"), {"q": "<b>zzz"}).content.decode()
    assert "Nothing holds all of “&lt;b&gt;zzz”" in page
    assert "<b>zzz" not in page


# ---- as a folder of files ----
def test_every_document_is_a_file_and_all_they_lead_to_is_in_the_folder(tmp_path: Path) -> None:
    assert site.write(tmp_path) == len(shelf().volumes)
    assert {path.stem for path in tmp_path.glob("*.html")} == {"index", *(volume.slug for volume in shelf().volumes)}
    texts = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")}
    for name, text in texts.items():
        found = _targets(text)
        for target in [
            *found.links,
            *(source for source, _ in found.pictures),
            *re.findall(r'<link [^>]*href="([^"]*)', text),
        ]:
            if target.startswith(("https://", "http://")):
                continue
            file, _, part = target.partition("#")
            assert (tmp_path / (file or name)).is_file(), (name, target)
            assert not part or f'id="{part}"' in texts[file or name], (name, target)


def test_the_files_ask_nothing_of_anybody(tmp_path: Path) -> None:
    site.write(tmp_path)
    for page in tmp_path.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert not re.search(r"<script|<form|style=|hx-", text), page.name
    for sheet in tmp_path.rglob("*.css"):
        for target in re.findall(r"url\(['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8")):
            assert target.startswith(("data:", "#")) or (sheet.parent / target).is_file(), (sheet.name, target)


def test_the_files_are_written_again_and_over_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, other = tmp_path / "help", tmp_path / "thesis"
    assert run(["--site", str(new)]) == run(["--site", str(new)]) == 0
    assert "begin with index.html" in capsys.readouterr().out
    other.mkdir()
    (other / "thesis.txt").write_text("years of work", encoding="utf-8")
    assert run(["--site", str(other)]) == 1
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    assert run(["--site", str(other / "thesis.txt")]) == 1
    assert "cannot be written to" in capsys.readouterr().err
