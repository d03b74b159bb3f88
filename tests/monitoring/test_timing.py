from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitoring import timing
from monitoring.timing import Figure, Marks, Times, mean, to_contain, to_detect, to_resolve

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MARKS = [
    Marks(timedelta(hours=48), timedelta(seconds=60)),
    Marks(timedelta(hours=72), timedelta(seconds=60)),
    Marks(None, timedelta(days=1)),
]


def figures(now: list[Times], before: list[Times], marks: list[Marks]) -> list[Figure]:
    return timing.figures(now, before, marks, since=NOW, until=NOW + timedelta(minutes=12))


def times(detected: float, contained: float | None = None, resolved: float | None = None) -> Times:
    at = NOW + timedelta(seconds=detected)
    after = [None if one is None else at + timedelta(seconds=one) for one in (contained, resolved)]
    return Times(NOW, at, *after)


def test_each_is_the_mean_of_what_came_to_it() -> None:
    found = [times(10, 1, 3600), times(30, 3), times(50)]
    mttd, mttc, mttr = figures(found, [], MARKS)
    assert (mttd.mean, mttd.count) == (30, 3)
    assert (mttc.mean, mttc.count) == (2, 2)
    assert (mttr.mean, mttr.count) == (3600, 1)


def test_nothing_has_no_mean_meets_no_target_and_has_no_trend() -> None:
    for figure in figures([], [], MARKS):
        assert (figure.mean, figure.met, figure.trend) == (None, None, "")
    assert mean([]) is None


def test_a_target_is_met_up_to_itself() -> None:
    assert figures([times(60)], [], MARKS)[0].met is True
    assert figures([times(60.5)], [], MARKS)[0].met is False
    assert Figure("", "", 1.0, 1, None, Marks()).met is None


def test_the_trend_is_against_the_period_before() -> None:
    assert figures([times(10)], [times(20)], MARKS)[0].trend == "down"
    assert figures([times(20)], [times(10)], MARKS)[0].trend == "up"
    assert figures([times(10)], [times(10)], MARKS)[0].trend == "same"


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_mean_lies_between_its_least_and_its_most(seconds: list[float]) -> None:
    found = [times(one, one, one) for one in seconds]
    for took in (to_detect(found), to_contain(found), to_resolve(found)):
        average = mean(took)
        assert average is not None
        assert min(took) - 1e-3 <= average <= max(took) + 1e-3


def test_the_trend_is_the_means_of_the_steps_that_had_incidents() -> None:
    found = [times(10), times(30), times(11 * 60 + 30, contained=4)]
    drawn = {figure.key: figure.points for figure in figures(found, [], MARKS)}
    assert drawn == {"detect": (20, 690), "contain": (4,), "resolve": ()}
