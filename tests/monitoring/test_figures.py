from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.figures import buckets, labels, quantile, step_of
from monitoring.treemap import Box, squarified

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_quantiles_are_interpolated_and_need_values() -> None:
    assert quantile([], 0.5) is None
    assert quantile([7], 0.9) == 7
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile(list(range(11)), 0.9) == 9


def test_what_happened_is_counted_in_its_step_and_nothing_outside_is() -> None:
    since = NOW - timedelta(hours=24)
    counted = [(since, "allow", 2), (NOW - timedelta(minutes=1), "deny", 3), (NOW + timedelta(hours=1), "deny", 9)]
    series = buckets(counted, since, NOW)
    assert series["allow"][0] == 2
    assert series["deny"][-1] == 3
    assert sum(map(sum, series.values())) == 5
    assert len(labels(since, NOW)) == len(series["allow"]) == 48


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_a_chart_has_about_fifty_steps(days: int) -> None:
    period = timedelta(days=days)
    assert 25 <= period / step_of(period) <= 62


@given(st.lists(st.floats(1, 100), min_size=1, max_size=40))
def test_a_treemap_covers_the_box_in_proportion(values: list[float]) -> None:
    ordered = sorted(values, reverse=True)
    boxes = squarified(ordered, Box(0, 0, 100, 50))
    assert len(boxes) == len(ordered)
    for value, box in zip(ordered, boxes, strict=True):
        assert box.width * box.height == pytest.approx(5000 * value / sum(ordered), rel=1e-6)
        assert -1e-6 <= box.x <= 100 + 1e-6
        assert box.y + box.height <= 50 + 1e-6


def test_an_empty_fleet_has_no_boxes() -> None:
    assert squarified([], Box(0, 0, 100, 100)) == []
