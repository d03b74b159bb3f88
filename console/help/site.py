"""The help as a folder of files, for whoever has no account: no script, no request beyond the folder.

`script/docs --site FOLDER` writes it, from the documents and templates of the pages under /help/.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from console.help.markdown import Addresses
from console.help.shelf import CONTENTS, Shelf, stocked
from core.errors import NarrowgateError

FIRST: Final = "index.html"
FILES: Final = "static"
SHEETS: Final = (
    "vendor/inter/index.css",
    "vendor/jetbrains-mono/index.css",
    "vendor/tabler/tabler.min.css",
    "console/css/tokens.css",
    "console/css/base.css",
    "console/css/parts.css",
    "console/css/code.css",
    "console/css/help.css",
    "console/css/site.css",
)
FOLDERS: Final = ("vendor/inter/files", "vendor/jetbrains-mono/files")
ICON: Final = "console/icon.svg"


def write(folder: Path) -> int:
    """Write the help into `folder`, which must be new, empty, or written by this; gives the number of documents.

    Raises NarrowgateError where the folder holds anything else, or cannot be written to.
    """
    shelf = stocked(Addresses(_page, _picture, lambda _: ""), FIRST)
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / FIRST).is_file():
            raise NarrowgateError(f"{folder} holds something else.", "Name a new folder, or an empty one.")
        _copy_assets(folder / FILES)
        for name, text in _pages(shelf).items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NarrowgateError(f"{folder} cannot be written to: {error.strerror}.", "Name another folder.") from None
    return len(shelf.volumes)


def _pages(shelf: Shelf) -> dict[str, str]:
    """Each file's name with its text."""
    shared = {"layout": "help/site.html", "files": FILES, "sheets": SHEETS, "shelf": shelf}
    documents = {
        one.address: render_to_string("help/document.html", {**shared, "volume": one}) for one in shelf.volumes
    }
    return {FIRST: render_to_string("help/contents.html", shared), **documents}


def _page(slug: str) -> str:
    return f"{slug}.html"


def _picture(target: str) -> str:
    return f"{FILES}/help/{Path(target).name}"


def _copy_assets(folder: Path) -> None:
    """What the pages show and are drawn with: our own files, as the console serves them."""
    for name in (*SHEETS, ICON):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_found(name), folder / name)
    for name in FOLDERS:
        shutil.copytree(_found(name), folder / name, dirs_exist_ok=True)
    pictures = (Path(settings.BASE_DIR) / CONTENTS).with_name("images")
    shutil.copytree(pictures, folder / "help", dirs_exist_ok=True)


def _found(name: str) -> Path:
    path = finders.find(name)
    if path is None:
        raise NarrowgateError(f"The file static/{name} is missing.", "Run script/bootstrap.")
    return Path(path)
