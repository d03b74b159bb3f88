"""Charts as SVG, drawn here: stacked columns over time, and bars. Pure: no Django, no I/O.

Colours are classes (`c-allow`, `c-hold` …) that a page or the PDF fills with its tokens. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from audit.reports.shape import Chart, Series
from core import words

WIDTH, HEIGHT = 720, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 12, 26
LINES = 4
BAR, GAP, NAMES = 20, 8, 190


def draw(chart: Chart) -> str:
    """The chart as an SVG element with a label in words; its figures are in the report's tables too."""
    return _bars(chart) if chart.form == "bars" else _columns(chart)


def in_words(chart: Chart) -> str:
    """What the chart says to who cannot see it: each series with its sum."""
    sums = [f"{series.name} {words.count(sum(series.values))}" for series in chart.series]
    return f"{chart.title}: {words.listing(sums)}."


def top_of(highest: int) -> int:
    """The end of a scale with four steps that holds `highest`: the steps are 1, 2 or 5 times a power of ten."""
    step = 1
    for factor in _factors():
        step = factor
        if step * LINES >= highest:
            break
    return step * LINES


def _factors() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _columns(chart: Chart) -> str:
    length = max(1, len(chart.labels))
    top = top_of(max((sum(_at(chart.series, n)) for n in range(length)), default=0))
    slot = (WIDTH - LEFT - RIGHT) / length
    parts = [*_grid(top), *_stacks(chart, top, slot), *_ticks(chart.labels, slot)]
    return _svg(chart, HEIGHT, parts)


def _at(series: Sequence[Series], place: int) -> list[int]:
    return [one.values[place] if place < len(one.values) else 0 for one in series]


def _grid(top: int) -> Iterator[str]:
    for line in range(LINES + 1):
        y = _height(top * line // LINES, top)
        yield f'<line class="g-line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 6, y + 3.5, _short(top * line // LINES), "end")


def _stacks(chart: Chart, top: int, slot: float) -> Iterator[str]:
    width = max(0.8, min(28.0, slot * 0.72))
    for place in range(len(chart.labels)):
        x, sum_so_far = LEFT + slot * place + (slot - width) / 2, 0
        for series, value in zip(chart.series, _at(chart.series, place), strict=True):
            if not value:
                continue
            y, end = _height(sum_so_far + value, top), _height(sum_so_far, top)
            sum_so_far += value
            yield f'<rect class="c-{series.colour}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{end - y:.1f}"/>'


def _height(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _ticks(labels: Sequence[str], slot: float) -> Iterator[str]:
    every = max(1, -(-len(labels) * 52 // (WIDTH - LEFT)))
    for place in range(0, len(labels), every):
        yield _text(LEFT + slot * (place + 0.5), HEIGHT - 8, labels[place], "middle")


def _bars(chart: Chart) -> str:
    totals = [sum(_at(chart.series, place)) for place in range(len(chart.labels))]
    most = max(totals, default=0) or 1
    height = TOP + len(totals) * (BAR + GAP)
    return _svg(chart, max(height, BAR + 2 * TOP), _lying(chart, totals, most))


def _lying(chart: Chart, totals: Sequence[int], most: int) -> Iterator[str]:
    room = WIDTH - NAMES - 70
    for place, (label, total) in enumerate(zip(chart.labels, totals, strict=True)):
        y, x = TOP + place * (BAR + GAP), float(NAMES)
        yield _text(NAMES - 10, y + 14, label if len(label) <= 30 else f"{label[:29]}…", "end", "g-name")
        for series, value in zip(chart.series, _at(chart.series, place), strict=True):
            width = room * value / most
            if value:
                yield f'<rect class="c-{series.colour}" x="{x:.1f}" y="{y}" width="{max(width, 1):.1f}" height="{BAR}"/>'
            x += width
        yield _text(x + 8, y + 14, words.count(total), "start", "g-name")


def _svg(chart: Chart, height: float, parts: Iterator[str] | Sequence[str]) -> str:
    label = escape(in_words(chart))
    head = f'<svg class="report-chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">'
    return f"{head}{''.join(parts)}</svg>"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "g-text") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(number: int) -> str:
    """A count on a scale: 800, 12k, 3M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= 10 * size or (number >= size and not number % size):
            return f"{number / size:g}{unit}"
    return str(number)
