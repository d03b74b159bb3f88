"""Every page of docs/ that is written from code: `script/docs` writes them, a test compares.

`python -m console.help.written` writes; Django is set up with settings that reach nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cli import page as commands_page
from console import api_page
from console.help import refusals_page, settings_page
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


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    os.environ.setdefault("SECRET_KEY", "written by nobody")
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@localhost/none")
    django.setup()
    main()
