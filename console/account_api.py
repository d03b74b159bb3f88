"""One's own account in the API: who asks and with which token, one's tokens, the views of the fleet that one keeps."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, QueryDict
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions
from accounts.api import Asked, Visible
from accounts.models import ApiToken, Role, User
from accounts.requests import ANY_ROLE
from accounts.scopes import ACCOUNT_WRITE
from agents.api import read
from agents.models import SavedView
from agents.view_actions import forget_view, save_view
from console.fleet import FleetForm
from console.saved_views import query_of
from core.errors import Invalid, NotFound


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token of one's own; its secret was shown once, when it was made."""

    class Meta:
        """What is shown."""

        model = ApiToken
        fields: ClassVar = ["id", "name", "scopes", "created_at", "expires_at", "last_used_at"]


class AccountSerializer(serializers.Serializer[Any]):
    """Who asks, and with which token. `person` is the same for all accounts of one person."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    groups = serializers.ListField(child=serializers.CharField())
    person = serializers.UUIDField()
    token = TokenSerializer()


class AccountView(Asked):
    """Who asks."""

    @extend_schema(responses=AccountSerializer)
    def get(self, request: Request) -> Response:
        """Who you are here: roles, groups, and the token that you ask with."""
        user = self.person()
        groups = user.memberships.order_by("group__name").values_list("group__name", flat=True)
        said = {name: getattr(user, name) for name in ("id", "username", "name", "email", "roles", "person")}
        return Response(AccountSerializer({**said, "groups": list(groups), "token": request.auth}).data)


def _tokens(user: User) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=user)


class TokenViewSet(Visible[ApiToken]):
    """One's own tokens, newest first. They are made on the console, so that none can make another that outlives it."""

    queryset = ApiToken.objects.none()
    serializer_class = TokenSerializer
    visible = _tokens
    write_scope = ACCOUNT_WRITE
    ordering: tuple[str, ...] = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: UUID) -> Response:
        """End a token of one's own, from the next request on."""
        self.get_object()
        actions.revoke_api_token(pk, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ViewSerializer(serializers.ModelSerializer[SavedView]):
    """A saved view: `query` is what the list of agents on the console is filtered and ordered by, as in its address."""

    class Meta:
        """What is shown."""

        model = SavedView
        fields: ClassVar = ["id", "name", "query", "made_at"]


class ViewBody(serializers.Serializer[Any]):
    """A name, and the filters as in the address of the list: `segment=production&sort=-risk`."""

    name = serializers.CharField(max_length=60)
    query = serializers.CharField(max_length=1000)


def _views(user: User) -> QuerySet[SavedView]:
    return SavedView.objects.filter(person=user)


class SavedViewViewSet(Visible[SavedView]):
    """The views of the fleet that whoever asks keeps, by name."""

    queryset = SavedView.objects.none()
    serializer_class = ViewSerializer
    visible = _views
    write_scope = ACCOUNT_WRITE
    ordering: tuple[str, ...] = ("name", "id")
    lookup_value_converter = "int"

    @extend_schema(request=ViewBody, responses={201: ViewSerializer})
    def create(self, request: Request) -> Response:
        """Keep filters under a name; under one that is there, in its place."""
        if not self.person.has_role(*ANY_ROLE):
            raise Http404
        given = read(ViewBody, request)
        asked = FleetForm(QueryDict(given["query"]))
        if not asked.is_valid():
            field, problems = next(iter(asked.errors.items()))
            raise Invalid("query", f"{field}: {problems[0]}", "Take the query from the address of the list of agents.")
        view = save_view(given["name"], query_of(asked), actor=self.person)
        return Response(self.get_serializer(view).data, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: int) -> Response:
        """Forget a view. The agents in it stay as they are."""
        try:
            forget_view(pk, actor=self.person)
        except NotFound:
            raise Http404 from None
        return Response(status=status.HTTP_204_NO_CONTENT)
