"""What people send is bounded by its length: a text of all policies may be large, nothing else."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from console.bodies import LARGEST, USUAL
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
LONG = "// " + "x" * USUAL


def test_a_text_of_policies_may_be_large(cast: Cast) -> None:
    assert Caller(cast.engineer).post("policies/check", {"text": LONG})[0] == 200
    page = browser(cast.engineer).post("/policies/new/", {"text": LONG, "do": "check"})
    assert page.status_code != 413
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == LARGEST


def test_nothing_else_may(cast: Cast) -> None:
    status, said = Caller(cast.engineer).post("segments", {"name": LONG})
    assert (status, said["code"], "1 MiB" in said["detail"]) == (413, "too_large", True)
    page = browser(cast.engineer).post("/segments/new/", {"name": LONG})
    assert (page.status_code, b"1 MiB" in page.content) == (413, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"CONTENT_LENGTH": str(LARGEST + 1)}, 413),
        ({"CONTENT_LENGTH": "9" * 40}, 413),
        ({"CONTENT_LENGTH": "-1"}, 411),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
    ],
)
def test_whoever_sends_more_or_does_not_say_how_much_is_refused(headers: dict[str, str], status: int) -> None:
    for path in ("/policies/new/", "/api/v1/policies"):
        assert Client().post(path, **headers).status_code == status  # type: ignore[arg-type]  # WSGI's variables
