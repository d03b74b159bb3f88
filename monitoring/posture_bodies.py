"""What the API of the posture says and takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent
from approvals.models import Hold
from monitoring.fleet_counts import Gap
from monitoring.mark_actions import LONGEST
from monitoring.models import Mark
from monitoring.posture import Posture
from monitoring.posture_figures import told
from monitoring.score import Line, Score
from monitoring.shortfalls import Shortfall
from monitoring.steps import Step

MOST_SECONDS = int(LONGEST.total_seconds())


class FigureSerializer(serializers.Serializer[Any]):
    """One figure of the page. `rows` is where the API has what it counts; empty where it counts nothing that can be listed."""

    key = serializers.CharField()
    name = serializers.CharField()
    definition = serializers.CharField()
    unit = serializers.ChoiceField(choices=["seconds", "number"])
    value = serializers.FloatField(allow_null=True)
    rows = serializers.CharField()
    more = serializers.DictField(
        help_text="Of a mean time: how many incidents, the period before, baseline, target, whether it is met, points of the trend."
    )


class StepSerializer(serializers.Serializer[Step]):
    """One of the nine steps of zero trust; `short` counts what falls short of it, null where nothing measures it yet."""

    slug = serializers.CharField()
    name = serializers.CharField()
    definition = serializers.CharField(source="how")
    says = serializers.CharField()
    short = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=["met", "short", "unmeasured"])
    rows = serializers.SerializerMethodField()

    def get_rows(self, step: Step) -> str:
        """Where the API has what falls short."""
        return f"/api/v1/posture/steps/{step.slug}"


class ScoreLineSerializer(serializers.Serializer[Line]):
    """One reason for a risk, with its points."""

    because = serializers.CharField()
    points = serializers.IntegerField()
    kind = serializers.CharField()


class ScoreSerializer(serializers.Serializer[Score]):
    """A risk from 0 to 100, and the reasons that add up to it."""

    risk = serializers.IntegerField(source="score")
    lines = ScoreLineSerializer(many=True)


class CellSerializer(serializers.Serializer[Any]):
    """The agents of one segment and risk band, 1 to 5."""

    segment = serializers.CharField()
    band = serializers.IntegerField()
    agents = serializers.IntegerField()


class GapSerializer(serializers.Serializer[Gap]):
    """Permissions that a segment's agents hold, and how many of them were used in 30 days."""

    segment = serializers.CharField()
    granted = serializers.IntegerField()
    used = serializers.IntegerField()


class SeriesSerializer(serializers.Serializer[Any]):
    """Decisions over time: numbers for each step from `since` on."""

    step = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField())
    series = serializers.DictField(child=serializers.ListField(child=serializers.IntegerField()))


class LedgerSerializer(serializers.Serializer[Any]):
    """How the ledger stood when it was last checked."""

    checked_at = serializers.DateTimeField(allow_null=True)
    signed_size = serializers.IntegerField()
    signed_at = serializers.DateTimeField(allow_null=True)
    pending = serializers.IntegerField()
    proof = serializers.CharField()
    why = serializers.CharField()


class RiskySerializer(serializers.Serializer[Any]):
    """One of the ten riskiest agents, with the reasons."""

    agent = serializers.CharField()
    status = serializers.ChoiceField(choices=Agent.Status.choices)
    segment = serializers.CharField()
    score = ScoreSerializer()


class PostureSerializer(serializers.Serializer[Posture]):
    """The posture page as data: `holds` is its verdict, `worries` what is wrong with the gate or its record, in sentences."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(source="now")
    holds = serializers.SerializerMethodField(help_text="Nothing is stopped, and there is no worry.")
    stopped = serializers.SerializerMethodField(help_text="Somebody has stopped everything.")
    worries = serializers.ListField(child=serializers.CharField())
    figures = serializers.SerializerMethodField()
    steps = StepSerializer(many=True)
    fleet = CellSerializer(many=True, source="fleet.cells")
    riskiest = serializers.SerializerMethodField()
    gaps = GapSerializer(many=True, source="fleet.gaps")
    decisions = SeriesSerializer(source="chart")
    ledger = LedgerSerializer(source="watch.ledger")

    def get_holds(self, it: Posture) -> bool:
        """The verdict."""
        return not it.worries and it.halt is None

    def get_stopped(self, it: Posture) -> bool:
        """Whether everything is stopped."""
        return it.halt is not None

    @extend_schema_field(FigureSerializer(many=True))
    def get_figures(self, it: Posture) -> Any:  # noqa: ANN401 -- what DRF makes of them
        """Each figure."""
        return FigureSerializer(told(it), many=True).data

    @extend_schema_field(RiskySerializer(many=True))
    def get_riskiest(self, it: Posture) -> Any:  # noqa: ANN401 -- what DRF makes of them
        """The ten riskiest, worst first."""
        found = [
            {"agent": agent.name, "status": agent.status, "segment": agent.segment.name, "score": total}
            for agent, total in it.riskiest
        ]
        return RiskySerializer(found, many=True).data


class ShortfallSerializer(serializers.Serializer[Shortfall]):
    """One thing that falls short of a step; `page` is where the console shows it."""

    name = serializers.CharField()
    why = serializers.CharField()
    segment = serializers.CharField()
    owner = serializers.CharField()
    page = serializers.CharField(source="address")


class ShortfallsSerializer(serializers.Serializer[Any]):
    """A step, and a page of what falls short of it."""

    step = StepSerializer()
    next = serializers.CharField(allow_null=True)
    results = ShortfallSerializer(many=True)


class DecidedSerializer(serializers.ModelSerializer[Hold]):
    """A hold that people decided, and how many seconds that took them."""

    agent = serializers.CharField(source="agent.name")
    resource = serializers.CharField(source="resource.name")
    took = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Hold
        fields = ("id", "agent", "resource", "status", "severity", "asked_at", "settled_at", "took")

    def get_took(self, hold: Any) -> float:  # noqa: ANN401 -- a hold with its time
        """From the asking to the settling."""
        return float(hold.took.total_seconds())


class DecidedPageSerializer(serializers.Serializer[Any]):
    """A page of them."""

    next = serializers.CharField(allow_null=True)
    results = DecidedSerializer(many=True)


class MarkSerializer(serializers.ModelSerializer[Mark]):
    """What a mean time is held against, in seconds; no baseline is null."""

    baseline = serializers.SerializerMethodField()
    target = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Mark
        fields = ("figure", "baseline", "target")

    def get_baseline(self, mark: Mark) -> int | None:
        """How long it took before."""
        return None if mark.baseline is None else int(mark.baseline.total_seconds())

    def get_target(self, mark: Mark) -> int:
        """How long it may take."""
        return int(mark.target.total_seconds())


class MarkBody(serializers.Serializer[Any]):
    """A mean's baseline (null: there is nothing to compare with) and target, in seconds."""

    baseline = serializers.IntegerField(min_value=1, max_value=MOST_SECONDS, allow_null=True)
    target = serializers.IntegerField(min_value=1, max_value=MOST_SECONDS)
