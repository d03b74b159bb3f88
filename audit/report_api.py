"""Reports in the API: ask for one, see how far it is and what it came to, take its files, cancel it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import HasScope
from accounts.scopes import EXPORT
from audit import actions
from audit.api import Recorded
from audit.explorer import EntriesForm
from audit.models import READERS, Report, ReportFile
from audit.report_views import file_of, sent
from audit.reports.entries import asked_of
from audit.reports.period import LABELS, period_of
from audit.reports.scope import ScopeKind, find


class FileSerializer(serializers.ModelSerializer[ReportFile]):
    """A file of a report; `sha256` is what the ledger's entry states."""

    name = serializers.CharField(source="download_name")

    class Meta:
        """What is shown."""

        model = ReportFile
        fields: ClassVar = ["format", "name", "size", "sha256"]


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report. `progress` goes from 0 to 1; `why` says what is wrong or missing; `entry` is the ledger's entry that states its files."""

    asked_by = serializers.CharField(source="asked_by.username")
    scope = serializers.CharField(source="scope_kind")
    name = serializers.CharField(source="scope_name")
    entry = serializers.UUIDField(source="entry_uid", allow_null=True)
    headline = serializers.SerializerMethodField()
    figures = serializers.SerializerMethodField()
    files = FileSerializer(many=True)

    class Meta:
        """What is shown."""

        model = Report
        fields: ClassVar = [
            "id", "kind", "status", "progress", "doing", "why", "since", "until", "scope", "name", "asked", "formats", "asked_by", "asked_at",
            "finished_at", "removed_at", "entries", "root", "entry", "headline", "figures", "files",
        ]  # fmt: skip

    def get_headline(self, report: Report) -> str:
        """Its one sentence."""
        return str(report.summary["headline"]) if report.summary else ""

    def get_figures(self, report: Report) -> list[dict[str, Any]]:
        """Its figures."""
        return list(report.summary["figures"]) if report.summary else []


class ProgressSerializer(serializers.ModelSerializer[Report]):
    """How far a report is: `progress` goes from 0 to 1, `doing` says at what."""

    class Meta:
        """What is shown."""

        model = Report
        fields: ClassVar = ["id", "status", "progress", "doing"]


class ReportBody(serializers.Serializer[Any]):
    """What to report. `first` and `last` are days, for the period `custom`; `name` is that of the segment, agent or resource."""

    kind = serializers.ChoiceField(choices=[(one.value, one.label) for one in Report.REPORTED])
    period = serializers.ChoiceField(choices=LABELS)
    first = serializers.DateField(required=False, default=None)
    last = serializers.DateField(required=False, default=None)
    scope = serializers.ChoiceField(choices=ScopeKind.choices, default=ScopeKind.ALL)
    name = serializers.CharField(required=False, default="", max_length=100, allow_blank=True)
    formats = serializers.MultipleChoiceField(
        choices=[(one.value, one.label) for one in Report.REPORT_FORMATS],
        default={one.value for one in Report.REPORT_FORMATS},
    )


class EntriesBody(serializers.Serializer[Any]):
    """Which entries to take: the filters of `ledger/entries`, and the files to make of what they find."""

    q = serializers.CharField(required=False, max_length=200)
    event = serializers.CharField(required=False, max_length=60)
    actor = serializers.CharField(required=False, max_length=100)
    agent = serializers.CharField(required=False, max_length=100)
    resource = serializers.CharField(required=False, max_length=60)
    period = serializers.CharField(required=False, max_length=5)
    since = serializers.CharField(required=False, max_length=40)
    until = serializers.CharField(required=False, max_length=40)
    formats = serializers.MultipleChoiceField(choices=[(one.value, one.label) for one in Report.ENTRY_FORMATS])


class TakesCopies(HasScope):
    """Taking a file away needs the scope that names it, not the one for reading."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the token covers it."""
        return EXPORT in getattr(request.auth, "scopes", ())


def _visible(user: User) -> QuerySet[Report]:
    return Report.objects.visible_to(user).select_related("asked_by").prefetch_related("files__report")


class ReportViewSet(Recorded[Report]):
    """Reports, newest first."""

    queryset = Report.objects.none()
    serializer_class = ReportSerializer
    visible = _visible
    write_scope = EXPORT
    filters: ClassVar = {"kind": "kind", "status": "status"}
    ordering: tuple[str, ...] = ("-asked_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=ReportBody, responses={201: ReportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a report; it is made in the background."""
        self._require_reader()
        body = ReportBody(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        period = period_of(said["period"], timezone.now(), said["first"], said["last"])
        scope = find(said["scope"], said["name"])
        made = actions.ask(kind=said["kind"], period=period, scope=scope, formats=said["formats"], actor=self.person)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=EntriesBody, responses={201: ReportSerializer})
    @action(detail=False, methods=["post"])
    def entries(self, request: Request) -> Response:
        """Ask for entries of the ledger as files; they are made in the background, and are found here like a report."""
        self._require_reader()
        body = EntriesBody(data=request.data)
        body.is_valid(raise_exception=True)
        said = dict(body.validated_data)
        formats = said.pop("formats")
        asked, period = asked_of(EntriesForm(said))
        made = actions.ask_for_entries(asked=asked, period=period, formats=formats, actor=self.person)
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=ProgressSerializer)
    @action(detail=True, methods=["get"])
    def progress(self, request: Request, pk: UUID) -> Response:
        """How far it is. No read of the record, so that it can be asked for again and again."""
        return Response(ProgressSerializer(self._found(pk)).data)

    @extend_schema(request=None, responses=ReportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Stop the making; nothing of it is kept."""
        self.get_object()
        actions.cancel(pk, actor=self.person)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        parameters=[OpenApiParameter("name", OpenApiTypes.STR, OpenApiParameter.PATH, enum=Report.Format.values)],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
        },
    )
    @action(
        detail=True,
        methods=["get"],
        url_path="files/<str:name>",
        permission_classes=(IsAuthenticated, TakesCopies),
    )
    def files(self, request: Request, pk: UUID, name: str) -> HttpResponseBase:
        """Take a file of it away, by its format, or with `Range` the rest of one. Taking it is an entry."""
        file = file_of(self._found(pk), name)
        actions.note_download(file, actor=self.person)
        return sent(file, request.headers)

    def _found(self, pk: UUID) -> Report:
        """Raises Http404 for one that whoever asks may not see."""
        return get_object_or_404(_visible(self.person), id=pk)

    def _require_reader(self) -> None:
        """Raises Http404 for whom reports do not exist."""
        if not self.person.has_role(*READERS):
            raise Http404
