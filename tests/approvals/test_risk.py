from hypothesis import given
from hypothesis import strategies as st

from agents.risk import band
from approvals.risk import Facts, score

VERBS = ["select", "sql:delete", "sql:update", "truncate", "sql:ddl", "something new"]


@given(
    st.builds(
        Facts,
        verb=st.sampled_from(VERBS),
        tags=st.frozensets(st.sampled_from(["email", "ssn"])),
        has_where=st.none() | st.booleans(),
        in_transaction=st.booleans(),
        first_time=st.booleans(),
        denied_seconds_ago=st.none() | st.integers(0, 2000),
        hour=st.none() | st.integers(0, 23),
        odd_characters=st.integers(0, 3),
        rows=st.none() | st.integers(0, 10_000),
        rows_of=st.none() | st.integers(1, 10_000),
    )
)
def test_at_most_six_lines_that_add_up_to_a_score_within_0_and_100(facts: Facts) -> None:
    risk = score(facts)
    assert len(risk.lines) <= 6
    assert sum(line.points for line in risk.lines) == risk.score
    assert 0 <= risk.score <= 100


def test_what_is_worse_scores_higher() -> None:
    harmless = score(Facts("sql:select", rows=1, rows_of=100))
    careful = score(Facts("sql:delete", has_where=True, rows=3, rows_of=12_480))
    reckless = score(Facts("sql:delete", has_where=False, tags=frozenset({"email"}), denied_seconds_ago=14))
    assert harmless.score < careful.score < reckless.score


def test_bands_have_words() -> None:
    assert [band(number)[1] for number in (0, 20, 40, 60, 80, 100)] == [
        "Quiet",
        "Low",
        "Raised",
        "High",
        "Severe",
        "Severe",
    ]
