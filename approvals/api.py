"""Holds in the API: see them, decide them over the digest that was seen, withdraw those of one's own agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import R, Visible
from accounts.models import User
from accounts.scopes import AGENTS_WRITE, REVIEW
from approvals import (
    actions,
    alike_actions,
    glass_actions,
    granting,
    queries,
    question_actions,
    signing,
    waiting_actions,
)
from approvals.eligibility import Bench, Standing
from approvals.models import Hold, HoldQuestion, Review, Scope
from core.errors import NarrowgateError, NotFound


class HeldActionSerializer(serializers.ModelSerializer[Hold]):
    """The action that waits. Literals in tagged positions are masked."""

    id = serializers.UUIDField(source="action_id")

    class Meta:
        """What is shown."""

        model = Hold
        fields: ClassVar = ["id", "verb", "summary", "shown", "shape", "tables", "tags", "session_id", "enforced"]


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """What one person said."""

    reviewer = serializers.CharField(source="reviewer.username")

    class Meta:
        """What is shown."""

        model = Review
        fields: ClassVar = ["reviewer", "verdict", "reason", "at", "retracted_at", "scope", "minutes", "times"]


class StandingSerializer(serializers.Serializer[Standing]):
    """Whether whoever asks may review it, and if not why."""

    eligible = serializers.BooleanField()
    code = serializers.CharField()
    because = serializers.CharField()


class HoldSerializer(serializers.ModelSerializer[Hold]):
    """A hold. `purpose` is what the agent claims, and so is `justification`: why it asks again what `resubmits` denied; `you` is where whoever asks stands."""

    action = HeldActionSerializer(source="*")
    agent = serializers.CharField(source="agent.name")
    resource = serializers.CharField(source="resource.name")
    expires_at = serializers.DateTimeField(source="deadline")
    handed_to = serializers.CharField(source="handed_to.username", default=None)
    resubmits = serializers.UUIDField(source="resubmits_id", default=None)
    justification = serializers.CharField(source="resubmits.justification", default="")
    reviews = ReviewSerializer(many=True)
    you = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Hold
        fields: ClassVar = [
            "id", "digest", "status", "asked_at", "expires_at", "agent", "resource", "purpose", "action", "requirement",
            "reasons", "severity", "passkey", "policy_version", "estimate", "risk", "in_transaction", "reviews", "settled_at", "settled_because",
            "released_at", "grant_id", "escalate_to", "escalate_at", "escalated_at", "handed_to", "resubmits", "justification", "you",
        ]  # fmt: skip

    @extend_schema_field(StandingSerializer)
    def get_you(self, hold: Hold) -> dict[str, Any]:
        """Where whoever asks stands."""
        bench: Bench | None = self.context.get("bench")
        reader: User = self.context["request"].user
        return dict(StandingSerializer((bench or Bench([reader], [hold])).standing(reader, hold)).data)


class ChallengeSerializer(serializers.Serializer[Any]):
    """The verdict that a passkey is to sign, and the holds that it is over."""

    verdict = serializers.ChoiceField(choices=signing.VERDICTS)
    holds = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=signing.MOST_HOLDS)


_PASSKEY = "What the passkey answered to `POST holds/challenge`, as JSON with `id`, `clientDataJSON`, `authenticatorData` and `signature`."


def _signature(*, required: bool = False) -> serializers.CharField:
    return serializers.CharField(
        max_length=signing.LONGEST,
        required=required,
        allow_blank=not required,
        default=serializers.empty if required else "",
        help_text=_PASSKEY,
    )


class DecisionSerializer(serializers.Serializer[Any]):
    """A verdict over the digest that was seen."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=actions.LONGEST_REASON, required=False, allow_blank=True, default="")


class ApprovalSerializer(DecisionSerializer):
    """An approval; wider than `once` it says for how many minutes, and how many times besides this one."""

    scope = serializers.ChoiceField(choices=Scope.choices, required=False, default=Scope.ONCE)
    minutes = serializers.IntegerField(min_value=0, max_value=granting.MOST_MINUTES, required=False, default=0)
    times = serializers.IntegerField(min_value=0, max_value=granting.MOST_TIMES, required=False, default=0)
    passkey = _signature()


class BreakingSerializer(serializers.Serializer[Any]):
    """What the emergency is, over the digest that was seen, signed."""

    digest = serializers.CharField(max_length=80)
    reason = serializers.CharField(max_length=glass_actions.LONGEST)
    passkey = _signature(required=True)


class FoundSerializer(serializers.Serializer[Any]):
    """What somebody found who looked at a broken glass."""

    found = serializers.CharField(max_length=glass_actions.LONGEST)


class QuestionSerializer(serializers.ModelSerializer[HoldQuestion]):
    """What a reviewer asked those who answer for the agent, and what they said."""

    asked_by = serializers.CharField(source="asked_by.username")
    answered_by = serializers.CharField(source="answered_by.username", default=None)

    class Meta:
        """What is shown."""

        model = HoldQuestion
        fields: ClassVar = ["id", "asked_by", "text", "asked_at", "answered_by", "answer", "answered_at"]


class TextSerializer(serializers.Serializer[Any]):
    """A question, or an answer."""

    text = serializers.CharField(max_length=question_actions.LONGEST)


class SeenSerializer(serializers.Serializer[Any]):
    """A hold, and the digest of its action that was seen."""

    id = serializers.UUIDField()
    digest = serializers.CharField(max_length=80)


class AlikeSerializer(serializers.Serializer[Any]):
    """One verdict over holds that ask alike; a denial says why."""

    holds = serializers.ListField(child=SeenSerializer(), min_length=1, max_length=alike_actions.MOST)
    verdict = serializers.ChoiceField(choices=Review.Verdict.choices[:2])
    reason = serializers.CharField(max_length=actions.LONGEST_REASON, required=False, allow_blank=True, default="")
    passkey = _signature()


class HandingSerializer(serializers.Serializer[Any]):
    """To whom it is handed, by user name."""

    to = serializers.CharField(max_length=150)


class WithdrawalSerializer(serializers.Serializer[Any]):
    """Why it is no longer wanted."""

    reason = serializers.CharField(max_length=actions.LONGEST_WITHDRAWAL)


def _said(body: serializers.Serializer[Any]) -> dict[str, Any]:
    """What was sent, or the problem with it."""
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _related(user: User) -> QuerySet[Hold]:
    return queries.visible_to(user).select_related(*queries.RELATED).prefetch_related("reviews__reviewer")


class HoldViewSet(Visible[Hold]):
    """Holds; `?status=waiting` for those that still wait."""

    queryset = Hold.objects.none()
    serializer_class = HoldSerializer
    visible = _related
    write_scope = REVIEW
    filters: ClassVar = {
        "status": "status",
        "agent": "agent__name",
        "resource": "resource__name",
        "settled_since": "settled_at__gte",
        "settled_until": "settled_at__lt",
    }
    ordering: tuple[str, ...] = ("-asked_at", "-id")
    _bench: Bench | None = None
    lookup_value_converter = "uuid"

    def paginate_queryset(self, queryset: QuerySet[Hold, R] | Sequence[R]) -> list[R] | None:
        """One page; where whoever asks stands before each of its holds is read at once."""
        page = super().paginate_queryset(queryset)
        self._bench = Bench([self.person], cast("list[Hold]", page or []))
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        """What the serializer needs to know besides the holds."""
        return {**super().get_serializer_context(), "bench": self._bench}

    @extend_schema(request=ApprovalSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: UUID) -> Response:
        """Approve the action whose digest was seen; once, or alike ones for a while too."""
        said = _said(ApprovalSerializer(data=request.data))
        wider = granting.Wider(Scope(said["scope"]), said["minutes"], said["times"])
        approval = granting.JUST_ONCE if wider.scope == Scope.ONCE else wider
        return self._do(
            pk,
            lambda: actions.approve(
                pk,
                actor=self.person,
                seen=said["digest"],
                reason=said["reason"],
                wider=approval,
                passkey=said["passkey"],
            ),
        )

    @extend_schema(request=DecisionSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def deny(self, request: Request, pk: UUID) -> Response:
        """Deny the action whose digest was seen, with a reason."""
        said = _said(DecisionSerializer(data=request.data))
        return self._do(pk, lambda: actions.deny(pk, actor=self.person, seen=said["digest"], reason=said["reason"]))

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    def retract(self, _request: Request, pk: UUID) -> Response:
        """Take one's own approval back while the action still waits."""
        return self._do(pk, lambda: actions.retract(pk, actor=self.person))

    @extend_schema(request=HandingSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"], url_path="hand-over")
    def hand_over(self, request: Request, pk: UUID) -> Response:
        """Ask a colleague who may review it to decide it."""
        named = User.objects.filter(username=_said(HandingSerializer(data=request.data))["to"]).first()
        return self._do(pk, lambda: waiting_actions.hand_over(pk, actor=self.person, to=named.id if named else pk))

    @extend_schema(request=WithdrawalSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"], write_scope=AGENTS_WRITE)
    def withdraw(self, request: Request, pk: UUID) -> Response:
        """Take back what an agent of one's own waits for, with a reason that it is told."""
        said = _said(WithdrawalSerializer(data=request.data))
        return self._do(pk, lambda: actions.withdraw_own(pk, actor=self.person, reason=said["reason"]))

    @extend_schema(request=AlikeSerializer, responses=HoldSerializer(many=True))
    @action(detail=False, methods=["post"], url_path="decide-alike", pagination_class=None, filter_backends=[])
    def decide_alike(self, request: Request) -> Response:
        """Approve or deny holds that ask alike, each over the digest that was seen of it: all of them, or none."""
        said = _said(AlikeSerializer(data=request.data))
        shown = [(one["id"], one["digest"]) for one in said["holds"]]
        try:
            if said["verdict"] == Review.Verdict.APPROVE:
                alike_actions.approve_alike(shown, actor=self.person, reason=said["reason"], passkey=said["passkey"])
            else:
                alike_actions.deny_alike(shown, actor=self.person, reason=said["reason"])
        except NarrowgateError as error:
            for hold, _ in shown:
                actions.record_refusal(hold, actor=self.person, error=error)
            raise
        decided = self.get_queryset().filter(id__in=[hold for hold, _ in shown]).order_by("id")
        return Response(self.get_serializer(decided, many=True).data)

    @extend_schema(request=ChallengeSerializer, responses={200: OpenApiTypes.OBJECT})
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def challenge(self, request: Request) -> Response:
        """What your passkey is to sign, as `navigator.credentials.get` takes it; the answer goes with the decision, within two minutes."""
        said = _said(ChallengeSerializer(data=request.data))
        found = queries.visible_to(self.person).filter(id__in=said["holds"])
        shown = sorted((str(hold.id), hold.digest) for hold in found)
        if len(shown) != len(set(said["holds"])):
            raise NotFound("There is no such hold, or none that you may see.")
        return Response(signing.ask(self.person, said["verdict"], shown))

    @extend_schema(request=BreakingSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"], url_path="break-glass")
    def break_glass(self, request: Request, pk: UUID) -> Response:
        """Let it through alone, in an emergency, where policy lets you; everybody is told, and two others look at it."""
        said = _said(BreakingSerializer(data=request.data))
        seen, reason, passkey = said["digest"], said["reason"], said["passkey"]
        return self._do(
            pk, lambda: glass_actions.break_glass(pk, actor=self.person, seen=seen, reason=reason, passkey=passkey)
        )

    @extend_schema(request=FoundSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"], url_path="look-at-glass")
    def look_at_glass(self, request: Request, pk: UUID) -> Response:
        """Say what you found who looked at what one person let through alone."""
        found = _said(FoundSerializer(data=request.data))["found"]
        return self._do(pk, lambda: glass_actions.look_at(pk, actor=self.person, found=found).hold)

    @extend_schema(methods=["GET"], responses=QuestionSerializer(many=True))
    @extend_schema(methods=["POST"], request=TextSerializer, responses=QuestionSerializer(many=True))
    @action(detail=True, methods=["get", "post"])
    def questions(self, request: Request, pk: UUID) -> Response:
        """What was asked of the agent's owner about it; or ask them something, as somebody who may review it."""
        hold = self.get_object()
        if request.method == "POST":
            text = _said(TextSerializer(data=request.data))["text"]
            self._do(pk, lambda: question_actions.ask_owner(pk, actor=self.person, text=text).hold)
        found = hold.questions.select_related("asked_by", "answered_by")
        return Response(QuestionSerializer(found, many=True).data)

    @extend_schema(request=TextSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"], url_path="questions/<uuid:question>/answer", write_scope=AGENTS_WRITE)
    def answer(self, request: Request, pk: UUID, question: UUID) -> Response:
        """Answer a question about what an agent of one's own asks."""
        text = _said(TextSerializer(data=request.data))["text"]
        return self._do(pk, lambda: question_actions.answer(pk, question, actor=self.person, text=text).hold)

    def _do(self, pk: UUID, act: Callable[[], Hold]) -> Response:
        """Act and say how the hold stands; a refusal is recorded."""
        try:
            act()
        except NarrowgateError as error:
            actions.record_refusal(pk, actor=self.person, error=error)
            raise
        return Response(self.get_serializer(self.get_object()).data)
