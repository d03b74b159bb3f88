"""The console's marks (chips, rings, risk bars, code) and words, for every template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.models import User
from activity.models import Frame
from agents import risk
from approvals import highlight, layout, presentation
from audit import output
from audit.reports.shape import Column
from console.help.shelf import shelf
from core import words

register = template.Library()

for name in ("count", "position", "span", "column_span", "clock", "timer", "digest", "size", "initials"):
    register.filter(name, getattr(words, name))

_SEVERITIES = {
    "new": ("hold", "plus", "New"),
    "changed": ("deny", "pencil", "Changed"),
    "low": ("unknown", "chevron-down"),
    "medium": ("unknown", "equal"),
    "high": ("hold", "chevron-up"),
    "critical": ("deny", "chevrons-up"),
}
_CHIPS = {
    "allow": ("allow", "check", "Allowed"),
    "approve": ("allow", "check", "Approved"),
    "approved": ("allow", "check", "Approved"),
    "hold": ("hold", "player-pause", "Held"),
    "held": ("hold", "player-pause", "Held"),
    "waiting": ("hold", "player-pause", "Waiting"),
    "deny": ("deny", "x", "Denied"),
    "denied": ("deny", "x", "Denied"),
    "mask": ("mask", "eye-off", "Masked"),
    "unknown": ("unknown", "question-mark", "Unknown"),
    "failed": ("unknown", "alert-triangle", "Failed"),
    "uncertain": ("unknown", "alert-triangle", "Uncertain"),
    "rolled_back": ("unknown", "arrow-back-up", "Rolled back"),
    "pending": ("unknown", "loader", "Pending"),
    "released": ("allow", "check", "Released"),
    "done": ("allow", "check", "Done"),
    "lapsed": ("unknown", "hourglass-empty", "Lapsed"),
    "expired": ("unknown", "clock-x", "Expired"),
    "withdrawn": ("unknown", "arrow-back-up", "Withdrawn"),
    "active": ("allow", "check", "Active"),
    "proposed": ("unknown", "pencil", "Proposed"),
    "suspended": ("deny", "player-pause", "Suspended"),
    "retired": ("unknown", "archive", "Retired"),
    "verified": ("allow", "shield-check", "Verified"),
    "signed": ("allow", "shield-check", "In a checkpoint"),
    "unsigned": ("unknown", "clock", "Not in a checkpoint yet"),
    "open": ("unknown", "plug-connected", "Live"),
    "bearer": ("unknown", "key", "Bearer"),
    "dpop": ("allow", "key", "Bound to a key"),
    "mtls": ("allow", "certificate", "Bound to a certificate"),
    "svid": ("allow", "certificate", "X.509-SVID"),
    "unanswered": ("deny", "alert-triangle", "Open"),
    "acknowledged": ("hold", "eye", "Acknowledged"),
    "resolved": ("allow", "circle-check", "Resolved"),
    "settled": ("unknown", "circle-check", "Counts no longer"),
    "claim": ("unknown", "quote", "Its claim, not checked"),
    "ready": ("allow", "check", "Ready"),
    "cancelled": ("unknown", "ban", "Cancelled"),
    "erased": ("unknown", "eraser", "Erased"),
    "removed": ("unknown", "archive", "Files removed"),
    "sent": ("allow", "check", "Delivered"),
    "given_up": ("deny", "x", "Given up"),
    "dropped": ("unknown", "ban", "Not needed"),
    "failing": ("hold", "alert-triangle", "Failing"),
    "paused": ("unknown", "player-pause", "Paused"),
    "stopped": ("deny", "alert-triangle", "Stopped by itself"),
    "broken": ("deny", "shield-x", "Broken"),
    "low": ("unknown", "chevron-down", "Low"),
    "medium": ("hold", "minus", "Medium"),
    "high": ("deny", "chevron-up", "High"),
}
_PIECES = {"keyword": "k", "string": "s", "number": "n", "comment": "c", "masked": "masked", "odd": "lookalike"}


@register.simple_tag
def chip(kind: str, word: str = "") -> SafeString:
    """A decision or state: icon and word, always both."""
    colour, icon, usual = _CHIPS.get(kind, ("unknown", "question-mark", kind.replace("_", " ").capitalize()))
    markup = '<span class="chip" data-d="{}"><i class="ti ti-{}" aria-hidden="true"></i>{}</span>'
    return format_html(markup, colour, icon, word or usual)


@register.simple_tag
def severity_mark(severity: str) -> SafeString:
    """How grave the policies call it: seen as one word, heard as two."""
    colour, icon = _SEVERITIES[severity]
    markup = '<span class="chip" data-d="{}"><i class="ti ti-{}" aria-hidden="true"></i><span class="visually-hidden">Severity </span>{}</span>'
    return format_html(markup, colour, icon, severity.capitalize())


@register.simple_tag(name="help")
def help_link(document: str, anchor: str = "", label: str = "") -> SafeString:
    """A link to a document of the help, or to a section of it, in the section's own words unless told others."""
    address = reverse("help:document", args=[document]) + (f"#{anchor}" if anchor else "")
    markup = '<a class="help-link" href="{}"><i class="ti ti-lifebuoy" aria-hidden="true"></i><span>{}</span></a>'
    return format_html(markup, address, label or shelf().heading(document, anchor))


@register.simple_tag
def chip_count(kind: str, number: int) -> SafeString:
    """A chip that counts: "2 denied"."""
    return chip(kind, f"{words.count(number)} {_CHIPS[kind][2].lower()}")


@register.simple_tag
def risk_mark(score: int, in_words: bool = False) -> SafeString:
    """Number, five rising bars, and the band's word: seen or only heard."""
    number, word = risk.band(score)
    hidden = SafeString("") if in_words else SafeString(' class="visually-hidden"')
    markup = '<span class="risk" data-band="{}"><span class="visually-hidden">Risk </span>{}<span{}> {}</span></span>'
    return format_html(markup, number, score, hidden, word)


@register.simple_tag
def ring(until: datetime, began: datetime, now: datetime, hold: object = "") -> SafeString:
    """A ring that empties until a deadline; the script that turns it reads data-until."""
    whole = max(1.0, (until - began).total_seconds())
    left = max(0.0, (until - now).total_seconds())
    markup = (
        '<svg class="ring{}" viewBox="0 0 40 40" data-until="{}" data-of="{}" data-hold="{}" aria-hidden="true">'
        '<circle cx="20" cy="20" r="17"/><circle class="ring-v" cx="20" cy="20" r="17" pathLength="100" '
        'stroke-dasharray="{} 100" transform="rotate(-90 20 20)"/><text x="20" y="20">{}</text></svg>'
        '<span class="visually-hidden">{} left</span>'
    )
    share = min(100.0, 100 * left / whole)
    late = " is-late" if share < 20 else ""
    numbers = (
        f"{until.timestamp():.1f}",
        f"{whole:.0f}",
        hold,
        f"{share:.1f}",
        words.countdown(left),
        words.span(left),
    )
    return format_html(markup, late, *numbers)


@register.simple_tag
def code(text: str, label: str) -> SafeString:
    """SQL that wraps and never scrolls, highlighted; odd characters boxed, with a sentence each below."""
    items = format_html_join(
        "", "<li{}><span>{}</span></li>", ((_warning(line), _line(line)) for line in highlight.lines(text))
    )
    caution = '<p class="caution"><i class="ti ti-alert-triangle" aria-hidden="true"></i><span>{}</span></p>'
    below = format_html_join("", caution, ((sentence,) for sentence in highlight.cautions(text)))
    return format_html('<ol class="code" aria-label="{}">{}</ol>{}', label, items, below)


register.filter("refusal", presentation.refusal)


@register.filter
def laid_out(text: str) -> str:
    """The statement on lines, clause by clause."""
    return layout.laid_out(text)


@register.simple_tag
def one_line(text: str, length: int = 140) -> SafeString:
    """The beginning of a statement on one line, uncoloured; what is masked or odd is still marked."""
    flat = " ".join(text.split())
    cut = flat if len(flat) <= length else f"{flat[:length]} …"
    quiet = ("masked", "odd")
    pieces = (piece for line in highlight.lines(cut) for piece in line.pieces)
    return format_html_join("", "{}", ((_piece(piece) if piece.kind in quiet else piece.shown,) for piece in pieces))


@register.simple_tag
def told(text: str) -> SafeString:
    """Words that may hold what an agent typed: characters that are not what they seem are marked."""
    return format_html_join("", "{}", ((_piece(piece),) for piece in highlight.plain(text)))


def _warning(line: highlight.Line) -> SafeString:
    return SafeString(' class="warn"') if line.warn else SafeString("")


def _line(line: highlight.Line) -> SafeString:
    return format_html_join("", "{}", ((_piece(piece),) for piece in line.pieces)) or SafeString("&nbsp;")


def _piece(piece: highlight.Piece) -> SafeString | str:
    if not piece.kind:
        return piece.shown
    title = format_html(' title="{}"', piece.note) if piece.note else SafeString("")
    return format_html('<span class="{}"{}>{}</span>', _PIECES[piece.kind], title, piece.shown)


@register.simple_tag
def spark(points: Sequence[float]) -> SafeString:
    """The course of a figure as a small line; nothing where two points would not make one."""
    if len(points) < 2:
        return SafeString("")
    low, high = min(points), max(points)
    across, tall = 80 / (len(points) - 1), 20 / ((high - low) or 1)
    places = [(2 + across * place, 23 - tall * (point - low)) for place, point in enumerate(points)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    markup = '<svg class="spark" viewBox="0 0 84 26" aria-hidden="true"><polyline points="{}"/><circle cx="{}" cy="{}" r="2.5"/></svg>'
    return format_html(markup, line, *(f"{part:.1f}" for part in places[-1]))


@register.filter
def hours(length: timedelta) -> str:
    """A duration in whole hours: "72 h"."""
    return f"{words.count(length // timedelta(hours=1))} h"


@register.filter
def ago(at: datetime) -> str:
    """How long ago, coarsely."""
    return words.ago(at, timezone.now())


@register.filter
def who_is_there(person: User, now: datetime) -> str:
    """A colleague's name, with who stands in while they are away."""
    return presentation.there(person, now)


@register.filter
def since(at: datetime) -> timedelta:
    """The time from then until now."""
    return timezone.now() - at


@register.filter
def moment(at: datetime) -> str:
    """The time of day, with its date if that is not today."""
    return words.moment(at, timezone.now())


@register.filter
def local_moment(text: str | None) -> str:
    """A time that was typed, as the field for times takes it: in UTC, without its zone."""
    at = parse_datetime(text or "")
    if at is None:
        return ""
    return (at.astimezone(UTC) if at.tzinfo else at).strftime("%Y-%m-%dT%H:%M:%S")


@register.filter
def between(until: datetime, began: datetime) -> timedelta:
    """The time from `began` to `until`."""
    return until - began


@register.filter
def signed(number: int) -> str:
    """With its sign, always: +30, −12, ±0."""
    return f"+{number}" if number > 0 else f"−{-number}" if number else "±0"


@register.filter
def get(mapping: dict[Any, Any], key: object) -> Any:  # noqa: ANN401 -- whatever the mapping holds
    """The mapping's value at `key`, or None."""
    return mapping.get(key)


@register.filter
def listing(names: Sequence[object]) -> str:
    """Names in a sentence."""
    return words.listing([str(name) for name in names])


@register.filter(name="hex")
def hexadecimal(data: bytes) -> str:
    """Bytes in hexadecimal."""
    return bytes(data).hex()


@register.filter
def hex_short(data: bytes) -> str:
    """The beginning and the end of a hash: "9f3c 71e0 … b8d2"."""
    text = bytes(data).hex()
    return f"{text[:4]} {text[4:8]} … {text[-4:]}"


@register.filter
def first8(text: str) -> str:
    """The first eight digits of a hash, in fours."""
    return f"{text[:4]} {text[4:8]}"


@register.filter
def less(number: float, other: float) -> float:
    """The difference."""
    return number - other


@register.filter
def bar_height(share: float) -> str:
    """The height of a bar of the replay's map, at most 42."""
    return f"{3 + 39 * share:.1f}"


@register.filter
def bar_top(share: float) -> str:
    """Where such a bar begins, so that it stands on the line at 74."""
    return f"{71 - 39 * share:.1f}"


@register.simple_tag
def cell_value(cell: object, columns: Sequence[dict[str, Any]], number: int) -> SafeString | str:
    """One recorded value: masked ones are marked, NULL is quiet, odd characters are boxed."""
    if number < len(columns) and columns[number].get("masked"):
        return SafeString('<span class="masked">***</span>')
    if cell is None:
        return SafeString('<span class="dim">null</span>')
    return format_html_join("", "{}", ((_piece(piece),) for piece in highlight.plain(str(cell))))


@register.filter
def written(frame: Frame) -> list[output.Line]:
    """What a command wrote, line by line; nothing where a table came back."""
    return output.lines(frame.columns, frame.rows)


LONGEST_CELL = 600  # characters of a report's cell on a page; all of them are in its other formats


@register.simple_tag
def report_cell(row: dict[str, Any], column: Column) -> SafeString | str:
    """One value of a report's table: numbers and times in words, odd characters boxed, a claim marked as one."""
    value = row.get(column.key)
    if value is None or value == "":
        return SafeString('<span class="dim">–</span>')
    if column.kind == "decision":
        return chip(str(value))
    if isinstance(value, int | float):
        if column.kind == "seconds":
            return words.column_span(value)
        return words.position(round(value)) if column.kind == "position" else words.count(round(value))
    if column.kind == "time":
        return datetime.fromisoformat(value).strftime("%-d %b %Y, %H:%M:%S")
    text = " ".join(value.split())
    text = text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]} …"
    pieces = (
        (piece for line in highlight.lines(text) for piece in line.pieces)
        if column.kind == "code"
        else highlight.plain(text)
    )
    shown = format_html_join(
        "", "{}", ((_piece(piece) if piece.kind in {"masked", "odd"} else piece.shown,) for piece in pieces)
    )
    return format_html('<span class="claim">{}</span>', shown) if column.kind == "claim" else shown
