"""Policy versions in the API: read, check, draft, propose, approve, activate, roll back. Writes call the actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import require_role
from accounts.api import Visible
from accounts.models import Role
from accounts.scopes import POLICIES_WRITE
from core.errors import NotFound
from policies import actions, cases, intake_actions, rollback_actions, sealing, testing, trial_actions
from policies.check import Problem, check
from policies.difference import ALLOW, DENY, HOLD, NARROWER, OTHER, WIDER, Difference, Part, differences, in_short
from policies.intake import is_large
from policies.lint import Kind
from policies.linting import Placed, findings
from policies.models import PolicyIntake, PolicyTrial, PolicyVersion
from policies.parse import LONGEST_TEXT, policies
from policies.queries import active, intakes_visible_to, registry, trials_visible_to, unreviewed, visible_to
from policies.starters import packs

CHECKERS = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
"""Who may have a text checked: those who write policies and those who approve them."""


MOST_TRIALS = 50


class PolicyVersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    """A version with its text and the people behind it."""

    author = serializers.CharField(source="author.username")
    approved_by = serializers.CharField(source="approved_by.username", default=None)

    class Meta:
        """What is shown."""

        model = PolicyVersion
        fields: ClassVar = [
            "number", "digest", "status", "note", "author", "created_at", "approved_by", "approved_at", "activated_at", "commit", "repository",
            "signature", "text", "tests",
        ]  # fmt: skip


class PolicyBundleSerializer(serializers.Serializer[Any]):
    """A signed version: the note (C2SP signed-note) and what it names by SHA-256."""

    bundle = serializers.CharField()
    signature = serializers.CharField()
    text = serializers.CharField()
    tests = serializers.CharField()
    schema = serializers.CharField()


class TextBody(serializers.Serializer[Any]):
    """A text of all policies."""

    text = serializers.CharField(max_length=LONGEST_TEXT, trim_whitespace=False)


class AgainstBody(TextBody):
    """A text, and the number of the version to compare it with: the one in force where none is named."""

    against = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)


class PolicyPartSerializer(serializers.Serializer[Part]):
    """One thing that a policy says otherwise; empty where it says nothing."""

    name = serializers.CharField()
    was = serializers.CharField()
    now = serializers.CharField()


class PolicyDifferenceSerializer(serializers.Serializer[Difference]):
    """One policy that is new, gone or says something else; `reach` is whether more is allowed with it than without."""

    policy = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[ALLOW, HOLD, DENY])
    reach = serializers.ChoiceField(choices=[WIDER, NARROWER, OTHER])
    says = serializers.CharField()
    about = serializers.CharField()
    condition = serializers.CharField()
    why = serializers.CharField()
    parts = PolicyPartSerializer(many=True)


class PolicyDifferencesSerializer(serializers.Serializer[Any]):
    """What differs, in short and policy by policy; `against` is 0 where no version is in force."""

    against = serializers.IntegerField()
    in_short = serializers.CharField()
    differences = PolicyDifferenceSerializer(many=True)


class PackSerializer(serializers.Serializer[Any]):
    """A starter pack: its README (Markdown), policies and test cases."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    readme = serializers.CharField()
    text = serializers.CharField()
    tests = serializers.CharField()


class TestsBody(TextBody):
    """A text with its test cases (YAML)."""

    tests = serializers.CharField(
        max_length=cases.LONGEST, required=False, allow_blank=True, default="", trim_whitespace=False
    )


class DraftBody(TestsBody):
    """A version to keep; a note says what changes and why, `repository` and `commit` where it comes from."""

    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    commit = serializers.RegexField(r"^([0-9a-f]{7,64})?$", required=False, allow_blank=True, default="")
    repository = serializers.RegexField(r"^(\S+)?$", max_length=300, required=False, allow_blank=True, default="")


class FetchBody(serializers.Serializer[Any]):
    """The branch to fetch; the repository's own where none is named."""

    branch = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class RollbackBody(serializers.Serializer[Any]):
    """Why an earlier version is put back in force."""

    reason = serializers.CharField(max_length=300)


class RollbackReviewBody(serializers.Serializer[Any]):
    """What looking at a roll-back came to."""

    found = serializers.CharField(max_length=300)


class ProblemSerializer(serializers.Serializer[Problem]):
    """One thing wrong with a text, by line from 1."""

    line = serializers.IntegerField()
    reason = serializers.CharField()
    suggestion = serializers.CharField()


class ResultSerializer(serializers.Serializer[cases.Result]):
    """What a test case came to, by line from 1; `wrong` is empty where it passed."""

    line = serializers.IntegerField()
    name = serializers.CharField()
    passed = serializers.BooleanField()
    wrong = serializers.ListField(child=serializers.CharField())
    determined = serializers.ListField(child=serializers.CharField())


class TestedSerializer(serializers.Serializer[cases.Tested]):
    """Every test case, the policies that none was determined by, and which of those the newest 20,000 actions were not either."""

    results = ResultSerializer(many=True)
    uncovered = serializers.ListField(child=serializers.CharField())
    unmet = serializers.ListField(child=serializers.CharField())


class FindingSerializer(serializers.Serializer[Placed]):
    """Something worth a look, by line from 1; `policy` is empty where it is about agents."""

    line = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=[str(kind) for kind in Kind], source="finding.kind")
    policy = serializers.CharField(source="finding.policy", allow_blank=True)
    says = serializers.CharField(source="finding.says")


class CheckedSerializer(serializers.Serializer[Any]):
    """Everything wrong with a text (nothing means that it can come into force), and then what is worth a look."""

    problems = ProblemSerializer(many=True)
    findings = FindingSerializer(many=True)


class TrialBody(serializers.Serializer[Any]):
    """The time before now that a version is tried on; or `shadow`, for what happens from now on."""

    period = serializers.ChoiceField(choices=[*sorted(trial_actions.PERIODS), trial_actions.SHADOW], default="7d")


class TrialSerializer(serializers.ModelSerializer[PolicyTrial]):
    """A trial; `found` is null until it is ready."""

    version = serializers.IntegerField(source="version.number")
    against = serializers.IntegerField(source="against.number", allow_null=True, default=None)
    asked_by = serializers.CharField(source="asked_by.username")

    class Meta:
        """What is shown."""

        model = PolicyTrial
        fields: ClassVar = [
            "id", "version", "against", "since", "until", "asked_by", "asked_at", "status", "tried", "actions", "untried", "found",
            "why", "finished_at", "shadow", "stopped_at",
        ]  # fmt: skip


class IntakeSerializer(serializers.ModelSerializer[PolicyIntake]):
    """A text that is being read: how many of its new policies so far, and the number of the draft once it is one."""

    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)

    class Meta:
        """What is shown."""

        model = PolicyIntake
        fields: ClassVar = ["id", "status", "read", "of", "version", "why", "remedy", "asked_at", "finished_at"]


class PolicyVersionViewSet(Visible[PolicyVersion]):
    """Versions of the policies, by number."""

    queryset = PolicyVersion.objects.none()
    serializer_class = PolicyVersionSerializer
    visible = visible_to
    write_scope = POLICIES_WRITE
    lookup_field = "number"
    lookup_value_converter = "int"
    filters: ClassVar = {"status": "status"}
    ordering: tuple[str, ...] = ("-number",)

    @extend_schema(request=DraftBody, responses={201: PolicyVersionSerializer, 202: IntakeSerializer})
    def create(self, request: Request) -> Response:
        """Keep a text as a draft. One that has problems is refused with the first; one of many policies that are new is read meanwhile (202)."""
        given = _read(DraftBody, request)
        if is_large(given["text"]):
            taken = intake_actions.ask(**given, actor=self.person)
            return Response(IntakeSerializer(taken).data, status=status.HTTP_202_ACCEPTED)
        version = actions.draft(**given, actor=self.person)
        return self._said(version, status.HTTP_201_CREATED)

    @extend_schema(request=TextBody, responses=CheckedSerializer)
    @action(detail=False, methods=["post"])
    def check(self, request: Request) -> Response:
        """Say everything that is wrong with a text; nothing is kept."""
        require_role(self.person, *CHECKERS)
        sealing.lend(active())
        text = _read(TextBody, request)["text"]
        problems = check(text, registry())
        return Response(CheckedSerializer({"problems": problems, "findings": [] if problems else findings(text)}).data)

    @extend_schema(request=TestsBody, responses=TestedSerializer)
    @action(detail=False, methods=["post"])
    def test(self, request: Request) -> Response:
        """Run test cases against a text, over today's agents and resources; nothing is kept."""
        require_role(self.person, *CHECKERS)
        sealing.lend(active())
        given = _read(TestsBody, request)
        actions.require_valid(given["text"])
        return Response(TestedSerializer(testing.run(given["text"], given["tests"])).data)

    @extend_schema(responses=IntakeSerializer, filters=False)
    @action(detail=False, methods=["get"], url_path="intakes/<uuid:intake>", pagination_class=None)
    def intake(self, request: Request, intake: UUID) -> Response:
        """A text of one's own that is being read: how far it is, the draft that it became, or why it did not."""
        return Response(IntakeSerializer(get_object_or_404(intakes_visible_to(self.person), id=intake)).data)

    @extend_schema(responses=PackSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def packs(self, request: Request) -> Response:
        """The starter packs. Nothing comes into force by them: draft a version, and have it approved."""
        return Response(PackSerializer(packs().values(), many=True).data)

    @extend_schema(request=AgainstBody, responses=PolicyDifferencesSerializer)
    @action(detail=False, methods=["post"])
    def differences(self, request: Request) -> Response:
        """Say in words what a text allows, holds and denies otherwise than a version; nothing is kept."""
        require_role(self.person, *CHECKERS)
        given = _read(AgainstBody, request)
        other = self._against(given["against"])
        sealing.lend(other)
        actions.require_valid(given["text"])
        found = differences(policies(other.text if other else ""), policies(given["text"]))
        said = {"against": other.number if other else 0, "in_short": in_short(found), "differences": found}
        return Response(PolicyDifferencesSerializer(said).data)

    def _against(self, number: int | None) -> PolicyVersion | None:
        return active() if number is None else get_object_or_404(visible_to(self.person), number=number)

    @extend_schema(request=DraftBody, responses={201: PolicyVersionSerializer})
    @action(detail=False, methods=["post"])
    def install(self, request: Request) -> Response:
        """Put the very first version in force; refused when there is any."""
        version = actions.install(**_read(DraftBody, request), actor=self.person)
        return self._said(version, status.HTTP_201_CREATED)

    @extend_schema(request=FetchBody, responses={201: PolicyVersionSerializer})
    @action(detail=False, methods=["post"])
    def fetch(self, request: Request) -> Response:
        """Keep what the deployment's Git repository holds as a draft; it comes into force like any other."""
        return self._said(actions.fetch(actor=self.person, **_read(FetchBody, request)), status.HTTP_201_CREATED)

    @extend_schema(responses=PolicyBundleSerializer)
    @action(detail=True, methods=["get"])
    def bundle(self, request: Request, number: int) -> Response:
        """The version as it is signed, for `narrowgate policy verify`, which needs nothing of ours but a key."""
        return Response(sealing.exported(self.get_object()))

    @extend_schema(request=None, responses=PolicyVersionSerializer)
    @action(detail=True, methods=["post"])
    def propose(self, request: Request, number: int) -> Response:
        """Ask for a draft of one's own to be approved."""
        return self._move(actions.propose)

    @extend_schema(request=None, responses=PolicyVersionSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, number: int) -> Response:
        """Approve a proposed version that somebody else wrote."""
        return self._move(actions.approve)

    @extend_schema(request=None, responses=PolicyVersionSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, number: int) -> Response:
        """Put an approved version in force, in place of the one that is."""
        return self._move(actions.activate)

    @extend_schema(request=RollbackBody, responses=PolicyVersionSerializer)
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, number: int) -> Response:
        """Put an earlier version back in force, with a reason."""
        version: PolicyVersion = self.get_object()
        return self._said(actions.rollback(version.number, actor=self.person, **_read(RollbackBody, request)))

    @extend_schema(request=RollbackReviewBody, responses=PolicyVersionSerializer)
    @action(detail=True, methods=["post"], url_path="review-rollback")
    def review_rollback(self, request: Request, number: int) -> Response:
        """Say, as somebody other than who rolled back to it, what looking at that came to."""
        version: PolicyVersion = self.get_object()
        waiting = unreviewed().filter(version=version).first()
        if waiting is None:
            raise NotFound(
                "No roll-back to it waits for a review.", "Somebody has looked, or it was never rolled back to."
            )
        rollback_actions.review(waiting.id, actor=self.person, **_read(RollbackReviewBody, request))
        return self._said(version)

    @extend_schema(methods=["get"], responses=TrialSerializer(many=True), filters=False)
    @extend_schema(methods=["post"], request=TrialBody, responses={202: TrialSerializer})
    @action(detail=True, methods=["get", "post"], url_path="trials", pagination_class=None)
    def try_it(self, request: Request, number: int) -> Response:
        """The newest trials of a version; or have it tried on what happened in a period, beside the version in force."""
        version: PolicyVersion = self.get_object()
        if request.method == "GET":
            found = trials_visible_to(self.person).filter(version=version).order_by("-asked_at", "-id")[:MOST_TRIALS]
            return Response(TrialSerializer(found, many=True).data)
        trial = trial_actions.ask(version.number, actor=self.person, **_read(TrialBody, request))
        return Response(TrialSerializer(trial).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=TrialSerializer)
    @action(detail=True, methods=["get"], url_path="trials/<uuid:trial>")
    def trial(self, request: Request, number: int, trial: UUID) -> Response:
        """One trial: how far it is, and what would have gone otherwise."""
        version: PolicyVersion = self.get_object()
        found = get_object_or_404(trials_visible_to(self.person), version=version, id=trial)
        return Response(TrialSerializer(found).data)

    @extend_schema(request=None, responses=TrialSerializer)
    @action(detail=True, methods=["post"], url_path="trials/<uuid:trial>/stop")
    def stop_trial(self, request: Request, number: int, trial: UUID) -> Response:
        """Stop a shadow: what happens from now on is tried no longer."""
        version: PolicyVersion = self.get_object()
        found = get_object_or_404(trials_visible_to(self.person), version=version, id=trial)
        trial_actions.stop(found.id, actor=self.person)
        found.refresh_from_db()
        return Response(TrialSerializer(found).data)

    def _move(self, move: Callable[..., PolicyVersion]) -> Response:
        version_id: UUID = self.get_object().id
        return self._said(move(version_id, actor=self.person))

    def _said(self, version: PolicyVersion, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(version).data, status=code)


def _read(body: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    given = body(data=request.data)
    given.is_valid(raise_exception=True)
    checked: dict[str, Any] = given.validated_data
    return checked
