"""Every page of docs/ that is written from code: `script/docs` writes them, a test compares.

`python -m console.help.written` writes them, and with `--site FOLDER` the whole help as a folder of files (`site.py`)
instead; Django is set up with settings that reach nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cli import page as commands_page
from console import api_page
from console.help import refusals_page, settings_page
from core.errors import NarrowgateError
from ledger import schemas
from policies import reference

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "api.md": api_page.page,
    "commands.md": commands_page.page,
    "events.md": schemas.page,
    "policy-reference.md": reference.page,
    "refusals.md": refusals_page.page,
    "settings.md": settings_page.page,
}


def main() -> None:
    """Write every page that differs from what it says now."""
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def run(arguments: Sequence[str]) -> int:
    """The command line; 1 where the folder cannot be used, with one sentence why."""
    parser = argparse.ArgumentParser(description="Write the pages of docs/ that come from code.")
    parser.add_argument("--site", metavar="FOLDER", type=Path, help="write the whole help there instead, as HTML")
    given = parser.parse_args(arguments)
    if given.site is None:
        main()
        return 0
    from console.help import site  # it takes templates, which wait for Django

    try:
        sys.stdout.write(f"{site.write(given.site)} documents are in {given.site}; begin with {site.FIRST}.\n")
    except NarrowgateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    os.environ.setdefault("SECRET_KEY", "written by nobody")
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
    django.setup()
    sys.exit(run(sys.argv[1:]))
