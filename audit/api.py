"""The record in the API: sessions with their replay, and actions. Each page read is an entry, as on the console."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.forms import DateTimeField, Field, UUIDField
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from accounts.actors import require_role
from accounts.api import M, Pages, R, Visible
from accounts.models import User
from accounts.scopes import AGENTS_WRITE
from activity.actions import MAY_CUT, cut_session
from activity.asked import ActionsForm, FindForm, SessionsForm, filters, read
from activity.listing import Listed, Row, actions_page, named, sessions_page
from activity.models import Action, Session
from activity.visibility import actions_visible_to, sessions_visible_to
from agents.api import read as read_body
from agents.api_bodies import ReasonBody
from audit.reading import note_read
from audit.replay import replay_of
from audit.replay_bodies import ReplaySerializer
from core.errors import Invalid
from core.keyset import A_PAGE
from policies.again import Again, decide_again
from policies.queries import READERS as POLICY_READERS


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A session. `client` and `purpose` are what the agent claims."""

    class Meta:
        """What is shown."""

        model = Session
        fields: ClassVar = [
            "id", "agent_id", "agent_name", "resource_id", "resource_name", "credential_id", "on_behalf_of", "protocol",
            "source", "client", "purpose", "began_at", "ended_at", "end_reason", "cut_at", "cut_by", "cut_reason", "erasure_id",
        ]  # fmt: skip


class ActionSerializer(serializers.ModelSerializer[Action]):
    """An action. `shown` has the literals of tagged positions masked; `erasure_id` says by what it was erased."""

    agent = serializers.SerializerMethodField()
    resource = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Action
        fields: ClassVar = [
            "id", "session_id", "agent", "agent_id", "resource", "resource_id", "number", "verb", "shown", "summary", "shape", "tables", "tags",
            "digest", "decision", "enforced", "masked", "reason", "code", "policies", "policy_version", "status", "asked_at",
            "released_at", "finished_at", "rows", "bytes", "masked_values", "detected", "sqlstate", "message", "entry_id", "erasure_id",
        ]  # fmt: skip

    def get_agent(self, action: Action) -> str:
        """The agent's name."""
        return str(self.context["agents"].get(action.agent_id, ""))

    def get_resource(self, action: Action) -> str:
        """The resource's name."""
        return str(self.context["resources"].get(action.resource_id, ""))


class Recorded(Visible[M]):
    """A part of the record: opening a page of it is an entry."""

    def paginate_queryset(self, queryset: QuerySet[M, R] | Sequence[R]) -> list[R] | None:
        """One page."""
        page = super().paginate_queryset(queryset)
        asked = self.request.query_params
        note_read(self.person, self._page, "", {name: asked[name][:200] for name in self.filters if name in asked})
        return page

    def get_object(self) -> M:
        """One of them."""
        found = super().get_object()
        note_read(self.person, self._page, str(found.pk), {})
        return found

    @property
    def _page(self) -> str:
        return f"api {self.basename}"


class Listing(Recorded[M]):
    """A list that is found as its page finds it: the same filters, by key. A page may be short while `next` is there."""

    form: ClassVar[type[FindForm]]
    found: ClassVar[Callable[[User, Mapping[str, Any], str, int], Listed]]
    filter_backends: Any = ()  # its form reads the query
    lookup_value_converter = "uuid"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 -- DRF's own
        """One page of them."""
        pages, asked = Pages(), read(self.form(request.query_params))
        size = pages.get_page_size(request) or A_PAGE
        page = type(self).found(self.person, asked, request.query_params.get(pages.cursor_query_param, ""), size)
        note_read(self.person, self._page, "", filters(self.form(request.query_params)))
        url = replace_query_param(request.build_absolute_uri(), pages.cursor_query_param, page.more)
        says = {"next": url if page.more else None, "previous": None, "results": self.said(page.rows)}
        return Response(says)

    def said(self, rows: Sequence[Any]) -> Any:  # noqa: ANN401 -- what DRF makes of them
        """The rows, as the API says them."""
        return self.get_serializer(rows, many=True).data


def parameters(form: type[FindForm]) -> list[OpenApiParameter]:
    """A form's fields as parameters, for the API's description."""
    return [
        OpenApiParameter(
            name, _type_of(field), enum=[value for value, _ in getattr(field, "choices", ()) if value] or None
        )
        for name, field in form.base_fields.items()
    ]


def _type_of(field: Field) -> OpenApiTypes:
    if isinstance(field, DateTimeField):
        return OpenApiTypes.DATETIME
    return OpenApiTypes.UUID if isinstance(field, UUIDField) else OpenApiTypes.STR


@extend_schema_view(list=extend_schema(description="Sessions, newest first.", parameters=parameters(SessionsForm)))
class SessionViewSet(Listing[Session]):
    """Sessions, newest first."""

    queryset = Session.objects.none()
    serializer_class = SessionSerializer
    visible = sessions_visible_to
    form = SessionsForm
    found = sessions_page
    ordering: tuple[str, ...] = ("-began_at", "-id")
    write_scope = AGENTS_WRITE

    @extend_schema(request=ReasonBody, responses=SessionSerializer)
    @action(detail=True, methods=["post"])
    def cut(self, request: Request, pk: UUID) -> Response:
        """End a live session: what runs in it is cancelled and its connection closed within a second."""
        require_role(self.person, *MAY_CUT)
        session = super().get_object()
        given = read_body(ReasonBody, request)
        return Response(SessionSerializer(cut_session(session.id, actor=self.person, **given)).data)

    @extend_schema(
        parameters=[OpenApiParameter("at", int, description="The number of the action to be among those shown.")],
        responses=ReplaySerializer,
    )
    @action(detail=True, methods=["get"])
    def replay(self, request: Request, pk: UUID) -> Response:
        """What was asked in a session and what came back, masked, on a line of time: up to 500 actions of it."""
        at = request.query_params.get("at", "1")
        if not (at.isascii() and at.isdecimal() and len(at) < 10):
            raise Invalid("at", "at is a number.", "As in ?at=12.")
        return Response(ReplaySerializer(replay_of(self.get_object(), max(1, int(at)))).data)


class AgainSerializer(serializers.Serializer[Again]):
    """The answer of a version; `agrees` is null for another version than the one that decided."""

    version = serializers.IntegerField()
    verdict = serializers.CharField()
    words = serializers.CharField()
    why = serializers.CharField()
    policies = serializers.ListField(child=serializers.CharField())
    agrees = serializers.BooleanField(allow_null=True)
    question = serializers.JSONField()

    def to_representation(self, instance: Again) -> dict[str, Any]:
        """The question as an object."""
        return {**super().to_representation(instance), "question": json.loads(instance.question)}


@extend_schema_view(list=extend_schema(description="Actions, newest first.", parameters=parameters(ActionsForm)))
class ActionViewSet(Listing[Action]):
    """Actions, newest first."""

    queryset = Action.objects.none()
    serializer_class = ActionSerializer
    visible = actions_visible_to
    form = ActionsForm
    found = actions_page
    ordering: tuple[str, ...] = ("-asked_at", "-id")

    def said(self, rows: Sequence[Row]) -> Any:  # noqa: ANN401 -- what DRF makes of them
        """The actions with the names of their agents and resources."""
        return ActionSerializer([row.action for row in rows], many=True, context=_names(rows)).data

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 -- DRF's own
        """One of them."""
        found = self.get_object()
        return Response(ActionSerializer(found, context=_names(named([found]))).data)

    @extend_schema(
        parameters=[OpenApiParameter("version", int, description="Another version of the policies.")],
        responses=AgainSerializer,
    )
    @action(detail=True, methods=["get"])
    def decision(self, request: Request, pk: UUID) -> Response:
        """Decide it again, by the version that decided it or by another: who asks for the same gets the same answer."""
        require_role(self.person, *POLICY_READERS)
        asked = request.query_params.get("version", "")
        if asked and not (asked.isdecimal() and len(asked) < 10):
            raise Invalid("version", "version is a number.", "As in ?version=8.")
        return Response(AgainSerializer(decide_again(self.get_object(), int(asked) if asked else None)).data)


def _names(rows: Sequence[Row]) -> dict[str, dict[UUID, str]]:
    return {
        "agents": {row.action.agent_id: row.agent for row in rows},
        "resources": {row.action.resource_id: row.resource for row in rows},
    }
