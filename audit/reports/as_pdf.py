"""A report as PDF, tagged for screen readers (PDF/UA), laid out by WeasyPrint from a template.

Nothing is fetched: the fonts are ours, by name, and any other address is refused, whatever a text says. Where pango is not
installed there is no PDF, and the report says so; its other files are made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from audit.reports import charts, tokens
from audit.reports.period import in_words
from audit.reports.shape import Chart, Head, Summary, summary
from core.errors import NarrowgateError

NO_PANGO = "This machine has no pango, which PDFs are made with."
REMEDY = "On Debian: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0. Then ask for the report again; its other files need nothing."


class NoPango(NarrowgateError):
    """The library that lays out PDFs is not installed."""

    def __init__(self) -> None:
        super().__init__(NO_PANGO, REMEDY)


def write(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    """Write the PDF of the report in `source`. Raises NoPango."""
    with source.open("rb") as lines:
        head, found = summary(lines)
    passed(0)
    html = render_to_string("audit/reports/pdf.html", _context(head, found))
    _render(html, target)


def _context(head: Head, found: Summary) -> dict[str, Any]:
    since, until = datetime.fromisoformat(head.since), datetime.fromisoformat(head.until)
    return {
        "head": head,
        "it": found,
        "period": in_words(since, until),
        "made": datetime.fromisoformat(head.made_at),
        "signed": datetime.fromisoformat(head.signed_at) if head.signed_at else None,
        "charts": [(chart, _drawn(chart)) for chart in found.charts],
        "css": mark_safe(tokens.font_css() + tokens.root_css()),  # noqa: S308 -- made of our own file alone
    }


def _drawn(chart: Chart) -> str:
    """The chart with its colours inside, for nothing outside an SVG reaches it."""
    svg = charts.draw(chart)
    begin = svg.index(">") + 1
    return mark_safe(f"{svg[:begin]}<style>{tokens.chart_css()}</style>{svg[begin:]}")  # noqa: S308 -- charts escape their texts


def _render(html: str, target: Path) -> None:
    try:
        from weasyprint import HTML  # it loads pango, which may not be there
        from weasyprint.urls import URLFetcher, URLFetcherResponse
    except OSError:
        raise NoPango from None

    class OurFonts(URLFetcher):  # type: ignore[misc]  # it publishes no types
        """Fetches our fonts and refuses everything else."""

        def fetch(self, url: str, headers: object = None) -> Any:  # noqa: ANN401
            scheme, _, name = url.partition(":")
            if scheme != "font":
                raise ValueError("Reports fetch nothing.")
            return URLFetcherResponse(url, tokens.font_bytes(name), {"Content-Type": "font/woff2"})

    HTML(string=html, url_fetcher=OurFonts()).write_pdf(target, pdf_variant="pdf/ua-1")
