"""Views of the fleet that a person saves: listed, opened, forgotten, bounded, and nobody else's."""

from __future__ import annotations

import pytest
from django.urls import reverse

from agents.models import SavedView
from agents.view_actions import MOST, forget_view, save_view
from core.errors import Invalid, NotFound, Refused
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.bring.callers import browser
from tests.cast import Cast

SAVE = reverse("agents:save_view")
LIST = reverse("agents:agents")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def test_filters_are_saved_listed_opened_and_forgotten(world: World) -> None:
    ciso = browser(world.cast.ciso)
    assert "Your views" not in ciso.get(LIST).content.decode()
    page = ciso.post(f"{SAVE}?sort=name&q=supp%20ort&after=x~y&other=1", {"name": "Support & co"}, follow=True)
    view = SavedView.objects.get()
    assert (view.person, view.query) == (world.cast.ciso, "q=supp+ort&sort=name")
    assert page.redirect_chain == [(f"{LIST}?q=supp+ort&sort=name", 302)]
    text = page.content.decode()
    assert "Saved as Support &amp; co, for you alone." in text
    assert 'href="?q=supp+ort&amp;sort=name" aria-current="true">Support &amp; co</a>' in text
    assert "Forget the view" not in ciso.get(LIST).content.decode()
    done = ciso.post(reverse("agents:forget_view", args=[view.id]), follow=True).content.decode()
    assert "The view Support &amp; co is forgotten." in done
    assert not SavedView.objects.exists()


def test_a_name_that_is_used_again_is_given_to_the_new_filters(world: World) -> None:
    save_view("Mine", "q=a", actor=world.cast.owner)
    save_view("Mine", "q=b", actor=world.cast.owner)
    assert [view.query for view in SavedView.objects.all()] == ["q=b"]


def test_nothing_is_saved_of_no_filters_no_name_or_filters_that_cannot_be(world: World) -> None:
    ciso = browser(world.cast.ciso)
    for address, name, says in (
        (SAVE, "All", "Nothing is filtered or ordered here."),
        (f"{SAVE}?q=a", " ", "Give the view a name."),
        (f"{SAVE}?q=a", "x" * 61, "at most 60 characters"),
        (f"{SAVE}?band=9", "Wrong", "the filters cannot be used"),
    ):
        assert says in ciso.post(address, {"name": name}, follow=True).content.decode()
    assert not SavedView.objects.exists()
    with pytest.raises(Invalid):
        save_view("All", "", actor=world.cast.ciso)


def test_a_person_has_so_many(world: World) -> None:
    for number in range(MOST):
        save_view(f"View {number}", "q=a", actor=world.cast.ciso)
    with pytest.raises(Refused) as refused:
        save_view("One more", "q=a", actor=world.cast.ciso)
    assert refused.value.code == "too_many"
    save_view("View 0", "q=b", actor=world.cast.ciso)
    save_view("Another's", "q=a", actor=world.cast.auditor)
    assert SavedView.objects.count() == MOST + 1


def test_nobody_sees_or_forgets_anothers_and_there_is_no_entry(world: World) -> None:
    before = Outbox.objects.count()
    view = save_view("Secret plan", "q=a", actor=world.cast.ciso)
    auditor = browser(world.cast.auditor)
    assert "Secret plan" not in auditor.get(LIST, {"q": "a"}).content.decode()
    assert auditor.post(reverse("agents:forget_view", args=[view.id])).status_code == 404
    with pytest.raises(NotFound):
        forget_view(view.id, actor=world.cast.auditor)
    forget_view(view.id, actor=world.cast.ciso)
    assert Outbox.objects.count() == before
