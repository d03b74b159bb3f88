"""Quiet hours by the clock of where somebody lives."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from approvals.notifications.quiet import due

NIGHT = {"begins": time(22), "ends": time(7)}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-25T21:59:59+00:00", "2026-11-25T21:59:59+00:00"),
        ("2026-11-25T22:00:00+00:00", "2026-11-26T07:00:00+00:00"),
        ("2026-11-26T06:59:59+00:00", "2026-11-26T07:00:00+00:00"),
        ("2026-11-26T07:00:00+00:00", "2026-11-26T07:00:00+00:00"),
    ],
)
def test_the_night_spans_midnight(now: str, expected: str) -> None:
    assert due(_at(now), zone="UTC", **NIGHT) == _at(expected)


def test_a_siesta_does_not() -> None:
    siesta = {"begins": time(13), "ends": time(15)}
    assert due(_at("2026-11-25T13:30:00+00:00"), zone="UTC", **siesta) == _at("2026-11-25T15:00:00+00:00")
    assert due(_at("2026-11-25T16:00:00+00:00"), zone="UTC", **siesta) == _at("2026-11-25T16:00:00+00:00")


def test_the_clock_is_the_persons_own() -> None:
    assert due(_at("2026-07-01T21:00:00+00:00"), zone="Europe/Berlin", **NIGHT) == _at("2026-07-02T05:00:00+00:00")
    assert due(_at("2026-07-01T21:00:00+00:00"), zone="America/New_York", **NIGHT) == _at("2026-07-01T21:00:00+00:00")


def test_the_night_in_which_the_clock_jumps() -> None:
    early = {"begins": time(22), "ends": time(2, 30)}  # a time that this night does not have
    found = due(_at("2026-03-28T23:00:00+00:00"), zone="Europe/Berlin", **early)
    assert _at("2026-03-29T01:00:00+00:00") <= found <= _at("2026-03-29T01:30:00+00:00")


@pytest.mark.parametrize(("begins", "ends"), [(None, None), (time(7), time(7)), (time(7), None)])
def test_no_quiet_hours_are_none(begins: time | None, ends: time | None) -> None:
    now = _at("2026-11-25T07:00:00+00:00")
    assert due(now, begins=begins, ends=ends, zone="UTC") == now
