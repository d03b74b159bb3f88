from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import actions
from accounts.authentication import ApiTokenAuthentication
from accounts.models import ApiToken, User
from accounts.permissions import HasScope
from core.errors import Invalid, Refused
from tests.cast import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def make(user: User, *scopes: str) -> str:
    _, secret = actions.create_api_token(user, name="test", scopes=scopes or ("read",), lifetime=DAY, actor=user)
    return secret


def authenticate(header: str | None, method: str = "get") -> Request:
    extra = {} if header is None else {"HTTP_AUTHORIZATION": header}
    request = Request(getattr(APIRequestFactory(), method)("/", **extra))
    found = ApiTokenAuthentication().authenticate(request)
    if found:
        request.user, request.auth = found
    return request


def test_a_token_is_its_person_and_only_its_hash_is_kept(cast: Cast) -> None:
    secret = make(cast.reviewer)
    assert authenticate(f"Token {secret}").user == cast.reviewer
    kept = ApiToken.objects.get()
    assert secret not in {kept.digest, kept.name}
    assert kept.last_used_at is not None


@pytest.mark.parametrize(
    "header", ["Token ngp_wrong", "Bearer ngp_x", "Token", "Token a b", "Token eyJhbGciOiJFUzI1NiJ9.e30.x"]
)
def test_anything_else_is_refused(cast: Cast, header: str) -> None:
    with pytest.raises(AuthenticationFailed):
        authenticate(header)


def test_an_expired_token_is_refused(cast: Cast) -> None:
    secret = make(cast.reviewer)
    ApiToken.objects.update(expires_at=ApiToken.objects.get().created_at)
    with pytest.raises(AuthenticationFailed):
        authenticate(f"Token {secret}")


def test_a_closed_accounts_token_is_refused(cast: Cast) -> None:
    secret = make(cast.reviewer)
    User.objects.filter(id=cast.reviewer.id).update(is_active=False)
    with pytest.raises(AuthenticationFailed):
        authenticate(f"Token {secret}")


class Taking(APIView):
    """A view that takes GET and POST."""

    def get(self, request: Request) -> Response:
        return Response()

    def post(self, request: Request) -> Response:
        return Response()


@pytest.mark.parametrize(
    ("scopes", "method", "write_scope", "passes"),
    [
        (["read"], "get", None, True),
        (["holds:review"], "get", None, False),
        (["read"], "post", "holds:review", False),
        (["holds:review"], "post", "holds:review", True),
        (["holds:review"], "post", None, False),
        (["holds:review"], "post", "agents:write", False),
    ],
)
def test_scopes_decide(cast: Cast, scopes: list[str], method: str, write_scope: str | None, passes: bool) -> None:
    request = authenticate(f"Token {make(cast.reviewer, *scopes)}", method)
    view = Taking()
    if write_scope:
        view.write_scope = write_scope  # type: ignore[attr-defined] # what our views define
    assert HasScope().has_permission(request, view) is passes


def test_without_a_token_nothing_passes(cast: Cast) -> None:
    request = authenticate(None)
    assert not HasScope().has_permission(request, Taking())


def test_what_a_view_does_not_take_is_not_a_matter_of_scopes(cast: Cast) -> None:
    request = authenticate(f"Token {make(cast.reviewer, 'read')}", "delete")
    assert HasScope().has_permission(request, Taking())  # so that DRF answers 405


def test_people_make_tokens_for_themselves_only(cast: Cast) -> None:
    with pytest.raises(Refused):
        actions.create_api_token(cast.reviewer, name="x", scopes=["read"], lifetime=DAY, actor=cast.administrator)


@pytest.mark.parametrize(("scopes", "lifetime"), [([], DAY), (["all"], DAY), (["read"], 91 * DAY), (["read"], 0 * DAY)])
def test_a_token_is_scoped_and_ends(cast: Cast, scopes: list[str], lifetime: timedelta) -> None:
    with pytest.raises(Invalid):
        actions.create_api_token(cast.reviewer, name="x", scopes=scopes, lifetime=lifetime, actor=cast.reviewer)
