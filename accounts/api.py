"""What the API's read-only collections share: pages by cursor, filters by name, and only what this person may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, TypeVar, cast

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import Http404
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import mixins
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.models import Role, User
from accounts.permissions import HasScope
from core.errors import Invalid

M = TypeVar("M", bound=Model)
R = TypeVar("R")


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself, untyped
    """How a person's token is sent, for the API's description."""

    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """The header."""
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token ngp_…"}


class Pages(CursorPagination):
    """50 to a page, `?limit=` up to 200; `next` and `previous` are whole addresses."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """The collection's own order: the cursor is a place in it."""
        return cast("Visible[Any]", view).ordering


class ByName(BaseFilterBackend):
    """Keeps what the query parameters in a collection's `filters` ask for."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        """Raises Invalid for a value that the field cannot have."""
        filters = cast("Visible[Any]", view).filters
        for name in filters.keys() & request.query_params.keys():
            value, by = request.query_params[name], filters[name]
            try:
                queryset = queryset.filter(by(value) if callable(by) else Q(**{by: value}))
                with suppress(EmptyResultSet):
                    str(queryset.query)  # an address is looked at only here
            except (ValueError, ValidationError):
                raise Invalid(name, f"{name} cannot be {value[:40]!r}.") from None
        return queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """The parameters, for the API's description."""
        names = sorted(cast("Visible[Any]", view).filters)
        return [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in names]


class Visible(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[M]):
    """A collection to list and to look into. What this person may not see is not found.

    `visible` gives it to a person; `filters` maps query parameters to fields, or to what makes a condition of their
    text; `ordering` starts with a field that all rows have.
    """

    permission_classes = (IsAuthenticated, HasScope)
    pagination_class = Pages
    filter_backends = (ByName,)
    filters: ClassVar[Mapping[str, str | Callable[[str], Q]]] = {}
    ordering: tuple[str, ...]
    visible: ClassVar[Callable[[User], QuerySet[Any]]]

    @property
    def person(self) -> User:
        """Who asks."""
        return cast("User", self.request.user)

    def get_queryset(self) -> QuerySet[M]:
        """What this person may see. For the API's description, which no person asks for, nothing."""
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset()
        return type(self).visible(self.person)


class Asked(APIView):
    """An address of its own, for a person with a token: no collection."""

    permission_classes = (IsAuthenticated, HasScope)

    def person(self, *roles: Role) -> User:
        """Who asks, with one of `roles` if any are named. Raises Http404: what is not for somebody does not exist for them."""
        user = self.request.user
        if not isinstance(user, User) or (roles and not user.has_role(*roles)):
            raise Http404
        return user
