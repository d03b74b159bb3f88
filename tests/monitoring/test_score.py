from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.rules import Kind, kind_of_denial
from monitoring.score import MOST_LINES, Observed, Standing, score, weight

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUIET = Standing()
observed = st.builds(
    lambda kind, age: Observed(kind, kind.rule.points, NOW - timedelta(minutes=age)),
    st.sampled_from(Kind),
    st.integers(-5, 30 * 24 * 60),
)
standings = st.builds(
    lambda granted, used, keys, days, bearer: Standing(granted, min(granted, used), keys, timedelta(days=days), bearer),
    st.integers(0, 500), st.integers(0, 500), st.integers(0, 9), st.integers(0, 900), st.booleans(),
)  # fmt: skip


def seen(kind: Kind, *minutes_ago: float) -> list[Observed]:
    return [Observed(kind, kind.rule.points, NOW - timedelta(minutes=ago)) for ago in minutes_ago]


@given(st.lists(observed, max_size=40), standings)
def test_the_lines_add_up_to_a_score_within_100(signals: list[Observed], standing: Standing) -> None:
    total = score(signals, standing, NOW)
    assert 0 <= total.score <= 100
    assert sum(line.points for line in total.lines) == total.score
    assert len(total.lines) <= MOST_LINES
    assert all(line.points > 0 and line.because for line in total.lines)


@given(st.lists(observed, max_size=40), standings, observed)
def test_one_more_signal_never_lowers_it(signals: list[Observed], standing: Standing, more: Observed) -> None:
    assert score([*signals, more], standing, NOW).score >= score(signals, standing, NOW).score


@given(st.lists(observed, max_size=20), st.integers(0, 20_000))
def test_without_new_signals_it_only_falls(signals: list[Observed], minutes: int) -> None:
    signals = [one for one in signals if one.at <= NOW]
    later = NOW + timedelta(minutes=minutes)
    assert score(signals, QUIET, later).score <= score(signals, QUIET, NOW).score


def test_a_quiet_agent_has_no_line() -> None:
    assert score([], QUIET, NOW).lines == ()
    assert score([], QUIET, NOW).reasons == "Nothing raises it"


def test_five_denials_within_a_minute_reach_the_limit_and_four_do_not() -> None:
    four = seen(Kind.DENIED, 0.1, 0.2, 0.3, 0.4)
    assert score(four, QUIET, NOW).score == 24
    assert score([*four, *seen(Kind.DENIED, 0), *seen(Kind.DENIAL_BURST, 0)], QUIET, NOW).score >= 80


def test_denials_and_mistakes_over_a_day_never_reach_it() -> None:
    many = seen(Kind.DENIED, *range(0, 1440, 2)) + seen(Kind.MISTAKE, *range(1440))
    assert score(many, QUIET, NOW).score == 35


def test_an_unproven_identity_is_nobodys_risk() -> None:
    assert score(seen(Kind.UNPROVEN, *range(50)), QUIET, NOW).score == 0


@pytest.mark.parametrize(("hours", "left"), [(0, 1.0), (24, 0.5), (48, 0.25), (24 * 14, 0.0), (-1, 1.0)])
def test_a_signal_counts_half_after_each_day(hours: int, left: float) -> None:
    assert weight(timedelta(hours=hours)) == pytest.approx(left)


def test_permissions_that_are_not_used_and_old_keys_are_lines_of_their_own() -> None:
    total = score([], Standing(granted=12, used=3, keys=2, oldest_key=timedelta(days=120), bearer=True), NOW)
    assert {line.kind: line.points for line in total.lines} == {"breadth": 9, "credentials": 12}
    assert "Never used 9 of the 12 permissions it holds" in total.reasons


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("forbidden", Kind.DENIED),
        ("no_match", Kind.DENIED),
        ("syntax_error", Kind.MISTAKE),
        ("no_policies", None),
        ("deaf", None),
    ],
)
def test_what_is_our_fault_or_a_slip_is_no_denial(code: str, kind: Kind | None) -> None:
    assert kind_of_denial(code) is kind
