"""The console's design tokens and fonts for paper: the light half of each pair, read from the one file that has them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

from core.errors import NarrowgateError

TOKENS = "console/css/tokens.css"
# One family a script: two files under one family would be drawn with each other's glyphs.
FONTS = {
    family: f"vendor/{folder}/files/{folder}-{script}-wght-normal.woff2"
    for folder, family_name in (("inter", "Inter"), ("jetbrains-mono", "Mono"))
    for script in ("latin", "latin-ext", "cyrillic", "cyrillic-ext", "greek", "vietnamese")
    for family in [f"{family_name} {script}"]
}
_PAIR = re.compile(r"(--[\w-]+):\s*light-dark\(\s*(#\w+)\s*,")


@cache
def light() -> dict[str, str]:
    """Each token's value in the light theme."""
    css = found(TOKENS).read_text(encoding="utf-8")
    return dict(_PAIR.findall(css))


def found(name: str) -> Path:
    """The static file of that name. Raises NarrowgateError where set-up has not put it there."""
    path = finders.find(name)
    if not path:
        raise NarrowgateError(f"The file {name} is missing.", "Run script/bootstrap.")
    return Path(str(path))


def root_css() -> str:
    """The tokens as custom properties."""
    return ":root{" + "".join(f"{name}:{value};" for name, value in light().items()) + "}"


def chart_css() -> str:
    """The classes of charts, in the tokens' colours: an SVG does not see the page's styles."""
    fills = {
        name.removeprefix("--").removesuffix("-fill"): value
        for name, value in light().items()
        if name.endswith("-fill") or re.fullmatch(r"--risk-\d", name)
    }
    classes = "".join(f".c-{name}{{fill:{value}}}" for name, value in fills.items())
    texts = f"text{{font:10px Inter latin;fill:{light()['--ink-2']}}}.g-name{{font-size:12px;fill:{light()['--ink']}}}"
    return f"{classes}.c-plain{{fill:{light()['--ink-3']}}}.g-line{{stroke:{light()['--line']}}}{texts}"


def font_css() -> str:
    """The fonts, fetched by name and never from elsewhere."""
    face = "@font-face{{font-family:'{0}';src:url('font:{1}')}}"
    return "".join(face.format(family, family.replace(" ", "-")) for family in FONTS)


def font_bytes(name: str) -> bytes:
    """The font that `font_css` names. Raises KeyError for any other."""
    return found(FONTS[name.replace("-", " ", 1)]).read_bytes()
