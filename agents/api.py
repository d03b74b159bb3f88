"""The inventory in the API: agents, resources, segments. Writes call the actions that pages call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model, Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.actors import require_role
from accounts.api import Visible
from accounts.models import Role
from accounts.objects import groups_reviewing
from accounts.scopes import AGENTS_WRITE
from agents import actions, lookups, rotating
from agents import api_bodies as bodies
from agents.api_actions import describe_api
from agents.api_models import ApiDescription
from agents.history import history_of
from agents.models import Agent, Resource, Segment
from agents.queries import visible_agents, visible_resources, visible_segments
from agents.resource_checks import check_connection, scan_columns

M = TypeVar("M", bound=Model)


def read(body: type[BaseSerializer[Any]], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """The request's body, checked. Raises ValidationError, which names the fields."""
    given = body(data=request.data, partial=partial)
    given.is_valid(raise_exception=True)
    checked: dict[str, Any] = given.validated_data
    return checked


def named_things(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the things that names stand for; an empty name is nobody. Raises Invalid."""
    found = {**given}
    if "segment" in found:
        found["segment"] = lookups.segment_named(found["segment"])
    for field in ("owner", "deputy"):
        if field in found:
            found[field] = lookups.person_named(found[field], field) if found[field] else None
    return found


class Named(Visible[M]):
    """A collection whose members are found by name, or by identifier."""

    lookup_field = "name"
    lookup_value_converter = "str"
    write_scope = AGENTS_WRITE

    def get_object(self) -> M:
        """The member. Raises Http404 also for one that this person may not see."""
        found = self.get_queryset().filter(**_key(self.kwargs["name"])).first()
        if found is None:
            raise Http404
        return found

    @extend_schema(responses=bodies.HistorySerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def history(self, request: Request, name: str) -> Response:
        """The newest changes of it, as the ledger's entries say them."""
        return Response(bodies.HistorySerializer(history_of(self.get_object().pk), many=True).data)

    def said(self, thing: M, code: int = status.HTTP_200_OK) -> Response:
        """The answer that shows `thing`."""
        return Response(self.get_serializer(thing).data, status=code)


def _key(text: str) -> dict[str, object]:
    try:
        return {"id": UUID(text)}
    except ValueError:
        return {"name": text}


def _status(text: str) -> Q:
    """`in_service` are those that are not retired."""
    return ~Q(status=Agent.Status.RETIRED) if text == "in_service" else Q(status=text)


class AgentViewSet(Named[Agent]):
    """Agents; `?status=in_service` for those that are not retired."""

    queryset = Agent.objects.none()
    serializer_class = bodies.AgentSerializer
    visible = visible_agents
    filters: ClassVar = {
        "name": "name",
        "q": "name__icontains",
        "status": _status,
        "segment": "segment__name",
        "function": "function",
        "owner": "owner__username",
        "risk_from": "risk__gte",
        "risk_to": "risk__lte",
        "review_until": "review_by__lte",
    }
    ordering: tuple[str, ...] = ("name",)

    @extend_schema(request=bodies.EnrolBody, responses={201: bodies.AgentSerializer})
    def create(self, request: Request) -> Response:
        """Enrol an agent. It is active from now on, or in a production segment proposed; what it may do, policies say."""
        require_role(self.person, Role.ENGINEER)
        given = read(bodies.EnrolBody, request)
        segment = lookups.segment_named(given.pop("segment"))
        owner, deputy = lookups.person_named(given.pop("owner")), given.pop("deputy")
        stands_in = lookups.person_named(deputy, "deputy") if deputy else None
        agent = actions.enrol(**given, segment=segment, owner=owner, deputy=stands_in, actor=self.person)
        return self.said(agent, status.HTTP_201_CREATED)

    @extend_schema(methods=["get"], responses=bodies.KeySerializer(many=True), filters=False)
    @extend_schema(methods=["post"], request=bodies.KeyBody, responses={201: bodies.KeySerializer})
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def keys(self, request: Request, name: str) -> Response:
        """The public keys that it proves itself with; or register one more."""
        agent = self.get_object()
        if request.method == "GET":
            return Response(bodies.KeySerializer(agent.keys.order_by("-added_at"), many=True).data)
        key = actions.add_key(agent.id, **read(bodies.KeyBody, request), actor=self.person)
        return Response(bodies.KeySerializer(key).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=bodies.ReasonBody, responses=bodies.KeySerializer)
    @action(detail=True, methods=["post"], url_path="keys/<str:kid>/revoke")
    def revoke_key(self, request: Request, name: str, kid: str) -> Response:
        """End a key, and every credential that was got with it, within a second."""
        agent = self.get_object()
        key = agent.keys.filter(kid=kid).first()
        if key is None:
            raise Http404
        ended = actions.revoke_key(key.id, **read(bodies.ReasonBody, request), actor=self.person)
        return Response(bodies.KeySerializer(ended).data)

    @extend_schema(request=bodies.ReasonBody, responses=bodies.AgentSerializer)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, name: str) -> Response:
        """Stop an agent: its credentials end and its connections are cut within a second."""
        return self._move(request, actions.suspend)

    @extend_schema(request=bodies.ChangeAgentBody, responses=bodies.AgentSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what is registered of it: purpose, segment, who answers for it, what it runs and may touch."""
        require_role(self.person, Role.ENGINEER)
        about = named_things(read(bodies.ChangeAgentBody, request))
        return self.said(actions.change_agent(self.get_object().id, actor=self.person, **about))

    @extend_schema(request=bodies.ReasonBody, responses={201: bodies.ReinstatementSerializer})
    @action(detail=True, methods=["post"])
    def reinstate(self, request: Request, name: str) -> Response:
        """Ask that an agent may act which is suspended or proposed. Another person confirms it."""
        asked = actions.ask_to_reinstate(self.get_object().id, actor=self.person, **read(bodies.ReasonBody, request))
        return Response(bodies.ReinstatementSerializer(asked).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=bodies.ReasonBody, responses=bodies.EndedBody)
    @action(detail=True, methods=["post"], url_path="revoke-credentials")
    def revoke_credentials(self, request: Request, name: str) -> Response:
        """End every live credential of an agent, everywhere within a second. It may get new ones."""
        given = read(bodies.ReasonBody, request)
        return Response({"ended": actions.revoke_credentials(self.get_object().id, actor=self.person, **given)})

    @extend_schema(request=bodies.ReasonBody, responses=bodies.AgentSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, name: str) -> Response:
        """End an agent for good; its name is never used again."""
        return self._move(request, actions.retire)

    def _move(self, request: Request, move: Callable[..., Agent]) -> Response:
        agent = self.get_object()
        return self.said(move(agent.id, actor=self.person, **read(bodies.ReasonBody, request)))


class ResourceViewSet(Named[Resource]):
    """Resources."""

    queryset = Resource.objects.none()
    serializer_class = bodies.ResourceSerializer
    visible = visible_resources
    filters: ClassVar = {"name": "name", "kind": "kind", "segment": "segment__name"}
    ordering: tuple[str, ...] = ("name",)

    @extend_schema(request=bodies.AddResourceBody, responses={201: bodies.ResourceSerializer})
    def create(self, request: Request) -> Response:
        """Put a resource behind the gate, with its login or without."""
        require_role(self.person, Role.ENGINEER)
        given = read(bodies.AddResourceBody, request)
        segment = lookups.segment_named(given.pop("segment"))
        owner, login = given.pop("owner"), given.pop("login", None)
        answers = lookups.person_named(owner) if owner else None
        with transaction.atomic():
            resource = actions.add_resource(**given, segment=segment, owner=answers, actor=self.person)
            if login:
                actions.store_secret(resource.id, **login, actor=self.person)
        return self.said(resource, status.HTTP_201_CREATED)

    @extend_schema(request=bodies.ChangeResourceBody, responses=bodies.ResourceSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what is registered of it and how it is reached."""
        require_role(self.person, Role.ENGINEER)
        given: Any = named_things(read(bodies.ChangeResourceBody, request, partial=True))
        return self.said(actions.change_resource(self.get_object().id, actor=self.person, **given))

    @extend_schema(request=bodies.ReasonBody, responses=bodies.ResourceSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, name: str) -> Response:
        """Take it from behind the gate for good: sessions end within a second, its logins leave the vault."""
        given = read(bodies.ReasonBody, request)
        return self.said(actions.retire_resource(self.get_object().id, actor=self.person, **given))

    @extend_schema(request=bodies.LoginBody, responses={204: None})
    @action(detail=True, methods=["put"])
    def secret(self, request: Request, name: str) -> Response:
        """Store a login in the vault, over the one for the same use."""
        actions.store_secret(self.get_object().id, **read(bodies.LoginBody, request), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=bodies.UseBody, responses={202: bodies.RotationSerializer})
    @action(detail=True, methods=["post"], url_path="secret/rotate", pagination_class=None)
    def rotate(self, request: Request, name: str) -> Response:
        """Have the password of a login changed, at the resource and in the vault, within a minute."""
        secret = rotating.ask(self.get_object().id, **read(bodies.UseBody, request), actor=self.person)
        return Response(bodies.RotationSerializer(secret).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=bodies.ScheduleBody, responses=bodies.RotationSerializer)
    @action(detail=True, methods=["put"], url_path="secret/schedule", pagination_class=None)
    def schedule(self, request: Request, name: str) -> Response:
        """Have it changed every so many days, or no more."""
        secret = rotating.schedule(self.get_object().id, **read(bodies.ScheduleBody, request), actor=self.person)
        return Response(bodies.RotationSerializer(secret).data)

    @extend_schema(request=None, responses=bodies.TriedSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, name: str) -> Response:
        """Try to connect as the gate would, and say what is wrong."""
        return Response(bodies.TriedSerializer(check_connection(self.get_object().id, actor=self.person)).data)

    @extend_schema(request=None, responses=bodies.ScanSerializer)
    @action(detail=True, methods=["post"])
    def scan(self, request: Request, name: str) -> Response:
        """Suggest tags for columns that have none. A person confirms each."""
        return Response(bodies.ScanSerializer(scan_columns(self.get_object().id, actor=self.person)).data)

    @extend_schema(methods=["get"], responses=bodies.TagSerializer(many=True), filters=False)
    @extend_schema(methods=["post"], request=bodies.TagSerializer, responses={201: bodies.TagSerializer})
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def tags(self, request: Request, name: str) -> Response:
        """The confirmed tags; or confirm one: from then on the column is masked."""
        resource = self.get_object()
        if request.method == "GET":
            tags = resource.tags.order_by("schema", "table", "column")
            return Response(bodies.TagSerializer(tags, many=True).data)
        tag = actions.confirm_tag(resource.id, **read(bodies.TagSerializer, request), actor=self.person)
        return Response(bodies.TagSerializer(tag).data, status=status.HTTP_201_CREATED)

    @extend_schema(methods=["get"], responses=bodies.DescriptionSerializer, filters=False)
    @extend_schema(methods=["put"], request=bodies.DescribeBody, responses=bodies.DescriptionSerializer)
    @action(detail=True, methods=["get", "put"], url_path="description", pagination_class=None)
    def operations(self, request: Request, name: str) -> Response:
        """What an API can be asked for; or say so by its OpenAPI document: what it does not list does not pass the gate."""
        resource = self.get_object()
        if request.method == "PUT":
            found = describe_api(resource.id, **read(bodies.DescribeBody, request), actor=self.person)
        else:
            nothing = ApiDescription(resource=resource, operations=[])
            found = ApiDescription.objects.filter(resource=resource).first() or nothing
        return Response(bodies.DescriptionSerializer(found).data)

    @extend_schema(request=bodies.RemoveTagBody, responses={204: None})
    @action(detail=True, methods=["post"], url_path="tags/remove", pagination_class=None)
    def remove_tag(self, request: Request, name: str) -> Response:
        """Take a tag off a column: it is masked no longer."""
        actions.remove_tag(self.get_object().id, **read(bodies.RemoveTagBody, request), actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SegmentViewSet(Named[Segment]):
    """Segments."""

    queryset = Segment.objects.none()
    serializer_class = bodies.SegmentSerializer
    visible = visible_segments
    filters: ClassVar[Mapping[str, str]] = {"name": "name"}
    ordering: tuple[str, ...] = ("name",)

    @extend_schema(request=bodies.SegmentBody, responses={201: bodies.SegmentSerializer})
    def create(self, request: Request) -> Response:
        """Make a segment."""
        segment = actions.create_segment(**read(bodies.SegmentBody, request), actor=self.person)
        return self.said(segment, status.HTTP_201_CREATED)

    @extend_schema(request=bodies.ChangeSegmentBody, responses=bodies.SegmentSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change what it is for, or whether it is of production, which two administrators take back. Its name stays: policies name it."""
        given: Any = read(bodies.ChangeSegmentBody, request)
        return self.said(actions.change_segment(self.get_object().id, actor=self.person, **given))

    @extend_schema(request=bodies.ReasonBody, responses=bodies.SegmentSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, name: str) -> Response:
        """End an empty segment."""
        given = read(bodies.ReasonBody, request)
        return self.said(actions.retire_segment(self.get_object().id, actor=self.person, **given))

    @extend_schema(methods=["get"], responses=bodies.ReviewersBody(many=True), filters=False)
    @extend_schema(methods=["post"], request=bodies.ReviewersBody, responses={201: bodies.ReviewersBody})
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def reviewers(self, request: Request, name: str) -> Response:
        """The groups that may review in it; or let one, as an administrator."""
        segment = self.get_object()
        if request.method == "GET":
            return Response([{"group": group.name} for group in groups_reviewing(segment).order_by("name")])
        require_role(self.person, Role.ADMINISTRATOR)
        given = read(bodies.ReviewersBody, request)
        actions.let_review(lookups.group_named(given["group"]), segment, actor=self.person)
        return Response(given, status=status.HTTP_201_CREATED)
