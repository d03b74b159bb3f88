"""What a hold's page shows of the rows that a statement would touch, and what it says where it shows none."""

import re
from typing import Any

import pytest
from django.urls import reverse

from approvals import actions
from approvals.forgetting import forget_recordings
from approvals.models import Hold
from tests.approvals.world import World, held
from tests.bring.callers import browser

pytestmark = pytest.mark.django_db
COUNTED = {"rows": 1240, "of": 5000, "table": "public.customers", "exact": True, "ms": 3}
SAMPLE = {
    "columns": ["id", "name", "email"],
    "hidden": ["email"],
    "rows": [["1", "<i>A\u202enn", "***"], ["2", None, "***"]],
    "more": 3,
}


def page(world: World, hold: Hold) -> str:
    return browser(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()


def test_rows_are_shown_as_hostile_text(world: World) -> None:
    hold = actions.estimated(held(world).id, COUNTED | {"sample": SAMPLE})
    shown = page(world, hold)
    assert "&lt;i&gt;A" in shown
    assert "U+202E" in shown
    assert "\u202e" not in re.sub(r"<[^>]*>", " ", shown)
    assert "NULL" in shown
    assert "2 of 1,240 rows, as they were when it was asked, 3 columns left out. Tagged values are hidden" in shown


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (None, "finding them can do nothing but read"),
        (COUNTED | {"exact": False, "ms": None}, "finding them can do nothing but read"),
        (COUNTED | {"rows": 0, "sample": None}, "there are none that it would touch now"),
        (COUNTED | {"sample": None}, "reading login may not see them"),
    ],
)
def test_where_there_are_none_it_says_why(world: World, estimate: dict[str, Any] | None, said: str) -> None:
    hold = held(world)
    if estimate is not None:
        actions.estimated(hold.id, estimate)
    assert said in page(world, hold)


def test_what_is_no_statement_says_nothing_of_rows(world: World) -> None:
    assert "No rows are shown" not in page(world, held(world, verb="http:post"))


def test_they_are_erased_with_the_hold(world: World) -> None:
    hold = actions.estimated(held(world).id, COUNTED | {"sample": SAMPLE})
    forget_recordings([hold.action_id], "Erased.")
    hold.refresh_from_db()
    assert hold.estimate is None
