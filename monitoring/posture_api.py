"""The posture in the API: every figure of the page, the rows behind them, and what the mean times are held against."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import Http404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from accounts.api import Asked
from accounts.models import Role
from accounts.scopes import INCIDENTS_WRITE
from agents.api import read
from core.errors import Invalid
from core.keyset import page_of
from core.moments import moment_of
from monitoring import mark_actions
from monitoring import posture_bodies as bodies
from monitoring.decisions import decided_holds
from monitoring.facts import facts_of, watch
from monitoring.fleet_counts import fleet_counts
from monitoring.models import Mark
from monitoring.posture import PERIODS, posture_of
from monitoring.shortfalls import shortfalls
from monitoring.steps import SLUGS, steps

_DAY = timedelta(hours=24)
_CURSOR = OpenApiParameter("cursor", str, description="As `next` has it.")
_SINCE = OpenApiParameter("since", OpenApiTypes.DATETIME, description="A day ago unless said.")


class PostureView(Asked):
    """The posture page as data."""

    @extend_schema(
        parameters=[OpenApiParameter("period", enum=list(PERIODS), description="24h unless said.")],
        responses=bodies.PostureSerializer,
    )
    def get(self, request: Request) -> Response:
        """Every figure of the posture page over a period, each with its definition and where its rows are."""
        self.person(Role.CISO)
        period = request.query_params.get("period", "24h")
        if period not in PERIODS:
            raise Invalid("period", f"There is no period {period[:20]!r}.", f"Known are {', '.join(PERIODS)}.")
        return Response(bodies.PostureSerializer(posture_of(PERIODS[period], timezone.now())).data)


class StepView(Asked):
    """What falls short of a step of zero trust."""

    @extend_schema(
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, enum=SLUGS),
            OpenApiParameter("segment", str),
            _SINCE,
            _CURSOR,
        ],
        responses=bodies.ShortfallsSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        """What falls short of a step of zero trust, row by row: exactly the rows that its figure counts."""
        self.person(Role.CISO)
        if slug not in SLUGS:
            raise Http404
        now, asked = timezone.now(), request.query_params
        since = _moment(request, "since") or now - _DAY
        segment, after = asked.get("segment", "")[:40], asked.get("cursor", "")[:100]
        found = steps(facts_of(fleet_counts(), watch(since, now), now))
        page = shortfalls(slug, since=since, now=now, segment=segment, after=after)
        said = {"step": found[SLUGS.index(slug)], "next": _next(request, page.more), "results": page.rows}
        return Response(bodies.ShortfallsSerializer(said).data)


class DecisionsView(Asked):
    """What people decided."""

    @extend_schema(
        parameters=[_SINCE, OpenApiParameter("until", OpenApiTypes.DATETIME, description="Now unless said."), _CURSOR],
        responses=bodies.DecidedPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The held actions that people decided, newest first, with how long each took."""
        person, now = self.person(Role.CISO, Role.AUDITOR), timezone.now()
        since, until = _moment(request, "since") or now - _DAY, _moment(request, "until") or now
        page = page_of(decided_holds(person, since, until), "settled_at", request.query_params.get("cursor", ""))
        said = {"next": _next(request, page.more), "results": page.rows}
        return Response(bodies.DecidedPageSerializer(said).data)


class MarksView(Asked):
    """What the mean times are held against."""

    @extend_schema(responses=bodies.MarkSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What each mean time is held against."""
        self.person(Role.CISO)
        kept = {mark.figure: mark for mark in Mark.objects.all()}
        return Response(bodies.MarkSerializer([kept[one] for one in Mark.Figure.values], many=True).data)


class MarkView(Asked):
    """What one mean time is held against."""

    write_scope = INCIDENTS_WRITE

    @extend_schema(
        parameters=[OpenApiParameter("figure", str, OpenApiParameter.PATH, enum=Mark.Figure.values)],
        request=bodies.MarkBody,
        responses=bodies.MarkSerializer,
    )
    def put(self, request: Request, figure: str) -> Response:
        """Change what a mean time is held against: its baseline and target, in seconds."""
        ciso = self.person(Role.CISO)
        if figure not in Mark.Figure.values:
            raise Http404
        given = read(bodies.MarkBody, request)
        baseline = None if given["baseline"] is None else timedelta(seconds=given["baseline"])
        target = timedelta(seconds=given["target"])
        mark = mark_actions.set_mark(Mark.Figure(figure), baseline=baseline, target=target, actor=ciso)
        return Response(bodies.MarkSerializer(mark).data)


def _moment(request: Request, name: str) -> datetime | None:
    """A time from the address; None where there is none. Raises Invalid for what is no time."""
    text = request.query_params.get(name, "")
    if text and moment_of(text) is None:
        raise Invalid(name, f"{name} cannot be {text[:40]!r}.", "As in 2026-11-21T09:30:00Z.")
    return moment_of(text)


def _next(request: Request, key: str) -> str | None:
    return replace_query_param(request.build_absolute_uri(), "cursor", key) if key else None
