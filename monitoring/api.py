"""Incidents in the API: see them, and answer them; and the signals behind every risk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from accounts.api import Asked, Pages, Visible
from accounts.scopes import INCIDENTS_WRITE
from agents.queries import visible_agents
from core.errors import Invalid, NarrowgateError
from core.keyset import A_PAGE
from core.moments import moment_of
from monitoring import actions
from monitoring.incident_list import COUNTED, ORDERS, page_among
from monitoring.incidents import Moment, case_of
from monitoring.models import Incident, IncidentNote, Signal
from monitoring.posture_bodies import ScoreSerializer
from monitoring.queries import score_of, visible_incidents, visible_signals


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """An incident of an agent, or of the address from which nobody's identity was proven."""

    agent = serializers.CharField(source="agent.name", default=None)
    assignee = serializers.CharField(source="assignee.username", default=None)
    acknowledged_by = serializers.CharField(source="acknowledged_by.username", default=None)

    class Meta:
        """What is shown."""

        model = Incident
        fields: ClassVar = [
            "id", "kind", "severity", "status", "agent", "source", "began_at", "detected_at", "contained_at", "resolved_at",
            "acknowledged_at", "acknowledged_by", "assignee", "suspended_at", "withheld_at", "resolution",
        ]  # fmt: skip


class SeveritySerializer(serializers.Serializer[Any]):
    """How bad it is."""

    severity = serializers.ChoiceField(choices=Incident.Severity.choices)


class AssigneeSerializer(serializers.Serializer[Any]):
    """Whose it is: a user name, or null."""

    assignee = serializers.CharField(max_length=150, allow_null=True)


class NoteSerializer(serializers.Serializer[Any]):
    """What to note."""

    text = serializers.CharField(max_length=actions.LONGEST)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=actions.LONGEST_STATUS_REASON)


class ResolutionSerializer(serializers.Serializer[Any]):
    """Why it is resolved."""

    reason = serializers.CharField(max_length=actions.LONGEST)


class MomentSerializer(serializers.Serializer[Moment]):
    """One line of what happened; `entry` is its place in the ledger, `kind` and `session` are of a signal."""

    at = serializers.DateTimeField()
    says = serializers.CharField()
    who = serializers.CharField()
    entry = serializers.IntegerField()
    kind = serializers.CharField(source="signal.kind", default=None, allow_null=True)
    session = serializers.UUIDField(source="signal.session_id", default=None, allow_null=True)


class IncidentNoteSerializer(serializers.ModelSerializer[IncidentNote]):
    """What a person wrote about it."""

    author = serializers.CharField(source="author.username")

    class Meta:
        """What is shown."""

        model = IncidentNote
        fields: ClassVar = ["author", "text", "at"]


class CaseSerializer(serializers.Serializer[Any]):
    """What happened, in order, and the notes; `hidden` counts the signals that are left out."""

    moments = MomentSerializer(many=True)
    hidden = serializers.IntegerField()
    notes = IncidentNoteSerializer(many=True)
    open_sessions = serializers.IntegerField()


_LISTED: Mapping[str, OpenApiParameter] = {
    "q": OpenApiParameter("q", str, description="Part of an agent's name, or the beginning of an address."),
    "status": OpenApiParameter("status", enum=["unresolved", *Incident.Status.values]),
    "kind": OpenApiParameter("kind", enum=Incident.Kind.values),
    "severity": OpenApiParameter("severity", enum=Incident.Severity.values),
    "counted": OpenApiParameter("counted", enum=list(COUNTED), description="Those that a mean of the posture is over."),
    "assignee": OpenApiParameter("assignee", str, description="A user name, or `nobody`."),
    "since": OpenApiParameter("since", OpenApiTypes.DATETIME, description="Detected then or later."),
    "until": OpenApiParameter("until", OpenApiTypes.DATETIME, description="Detected before."),
    "sort": OpenApiParameter("sort", enum=list(ORDERS), description="Newest first unless said."),
}
"""What a list of incidents can be asked for, as its page can."""


@extend_schema_view(list=extend_schema(parameters=list(_LISTED.values())))
class IncidentViewSet(Visible[Incident]):
    """Incidents, newest first; `?status=open` for those that nobody has looked at."""

    queryset = Incident.objects.none()
    serializer_class = IncidentSerializer
    visible = visible_incidents
    write_scope = INCIDENTS_WRITE
    filters: ClassVar = {"agent": "agent__name", "source": "source"}
    ordering: tuple[str, ...] = ("-detected_at", "-id")
    lookup_value_converter = "uuid"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 -- DRF's own
        """Incidents, filtered and in an order as on the console; `?status=open` for those that nobody has looked at."""
        pages, given = Pages(), request.query_params
        among, asked = self.filter_queryset(self.get_queryset()), _asked(given)
        size = pages.get_page_size(request) or A_PAGE
        page = page_among(among, asked, given.get(pages.cursor_query_param, ""), size)
        url = replace_query_param(request.build_absolute_uri(), pages.cursor_query_param, page.more)
        results = self.get_serializer(page.rows, many=True).data
        return Response({"next": url if page.more else None, "previous": None, "results": results})

    @extend_schema(responses=CaseSerializer)
    @action(detail=True, methods=["get"])
    def timeline(self, request: Request, pk: UUID) -> Response:
        """What happened, in order: signals, entries and answers; and the notes that people wrote."""
        case = case_of(pk, self.person)
        if case is None:
            raise Http404
        return Response(CaseSerializer(case).data)

    @extend_schema(request=None, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: UUID) -> Response:
        """Take notice of it."""
        return self._answered(pk, lambda: actions.acknowledge(pk, actor=self.person))

    @extend_schema(request=SeveritySerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def severity(self, request: Request, pk: UUID) -> Response:
        """Change how bad it is."""
        body = _valid(SeveritySerializer(data=request.data))
        return self._answered(pk, lambda: actions.rate(pk, severity=body["severity"], actor=self.person))

    @extend_schema(request=AssigneeSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: UUID) -> Response:
        """Give it to a CISO or a platform engineer; to nobody with null."""
        body = _valid(AssigneeSerializer(data=request.data))
        return self._answered(
            pk, lambda: actions.assign(pk, assignee=actions.person_named(body["assignee"]), actor=self.person)
        )

    @extend_schema(request=NoteSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def note(self, request: Request, pk: UUID) -> Response:
        """Write a note on it."""
        body = _valid(NoteSerializer(data=request.data))
        return self._answered(pk, lambda: actions.annotate(pk, text=body["text"], actor=self.person))

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def contain(self, request: Request, pk: UUID) -> Response:
        """Suspend its agent: its connections and credentials end within a second."""
        body = _valid(ReasonSerializer(data=request.data))
        return self._answered(pk, lambda: actions.contain(pk, reason=body["reason"], actor=self.person))

    @extend_schema(request=ResolutionSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: UUID) -> Response:
        """Resolve it, with a reason: its signals count no longer."""
        body = _valid(ResolutionSerializer(data=request.data))
        return self._answered(pk, lambda: actions.resolve(pk, reason=body["reason"], actor=self.person))

    def _answered(self, pk: UUID, act: Callable[[], object]) -> Response:
        """The incident as it is after an answer; a refusal is recorded."""
        self.get_object()
        try:
            act()
        except NarrowgateError as error:
            actions.record_refusal(pk, actor=self.person, error=error)
            raise
        return Response(self.get_serializer(self.get_object()).data)


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """What the list is asked for. Raises Invalid for a choice or a time that there is not."""
    asked = {name: given.get(name, "").strip()[:100] for name in _LISTED}
    for name, value in asked.items():
        known = _LISTED[name].enum
        if value and known and value not in known:
            raise Invalid(name, f"{name} cannot be {value[:40]!r}.", f"Known are {', '.join(map(str, known))}.")
        if value and name in {"since", "until"} and moment_of(value) is None:
            raise Invalid(name, f"{name} cannot be {value[:40]!r}.", "As in 2026-11-21T09:30:00Z.")
    return asked


class SignalSerializer(serializers.ModelSerializer[Signal]):
    """One observation that moves an agent's risk, or counts against an address alone; `entry` is its place in the ledger."""

    agent = serializers.CharField(source="agent.name", default=None, allow_null=True)
    says = serializers.CharField(source="get_kind_display")

    class Meta:
        """What is shown."""

        model = Signal
        fields: ClassVar = [
            "id", "kind", "says", "agent", "source", "points", "at", "entry", "action_id", "session_id", "resource_id",
            "incident_id", "settled_at",
        ]  # fmt: skip


class SignalViewSet(Visible[Signal]):
    """The signals behind every risk, newest first."""

    queryset = Signal.objects.none()
    serializer_class = SignalSerializer
    visible = visible_signals
    filters: ClassVar = {"agent": "agent__name", "kind": "kind", "source": "source", "incident": "incident"}
    ordering: tuple[str, ...] = ("-at", "-id")
    lookup_value_converter = "uuid"


class RiskView(Asked):
    """Why an agent's risk is what it is."""

    @extend_schema(responses=ScoreSerializer)
    def get(self, request: Request, name: str) -> Response:
        """An agent's risk and the reasons that add up to it; the signals behind a reason are `signals?agent=…&kind=…`."""
        agent = visible_agents(self.person()).select_related("scored").filter(name=name).first()
        if agent is None:
            raise Http404
        return Response(ScoreSerializer(score_of(agent)).data)


def _valid(body: serializers.Serializer[Any]) -> dict[str, Any]:
    """What the body says. Raises ValidationError."""
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
