"""Detectors in the API: those that there are, one's own, and what a resource says of each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Asked
from accounts.models import Role, User
from accounts.scopes import AGENTS_WRITE
from agents import detector_actions
from agents.api import read
from agents.detecting import lines_of
from agents.detector_models import OFF, STRATEGIES, OwnDetector
from agents.detector_views import READERS
from agents.detectors.known import KNOWN, USUAL
from agents.models import Resource
from agents.queries import visible_resources

CHOICES = [*dict(STRATEGIES), OFF, ""]


class KnownSerializer(serializers.Serializer[Any]):
    """A detector that comes with the gate. `usual` is what it does where a resource says nothing."""

    name = serializers.CharField()
    title = serializers.CharField()
    group = serializers.CharField()
    usual = serializers.CharField()


class OwnSerializer(serializers.ModelSerializer[OwnDetector]):
    """A detector of one's own. Its pattern is tried on its sample when it is written."""

    class Meta:
        """What is shown, and written."""

        model = OwnDetector
        fields: ClassVar = ["name", "title", "pattern", "sample", "strategy", "everywhere", "written_at"]


class OwnBody(serializers.Serializer[Any]):
    """What is written of one."""

    title = serializers.CharField(max_length=100)
    pattern = serializers.CharField(max_length=300, trim_whitespace=False)
    sample = serializers.CharField(max_length=1_000)
    strategy = serializers.ChoiceField(choices=list(dict(STRATEGIES)), default="redact")
    everywhere = serializers.BooleanField(default=True)


class RemoveBody(serializers.Serializer[Any]):
    """Why it is taken away."""

    reason = serializers.CharField(max_length=300)


class DetectorsSerializer(serializers.Serializer[Any]):
    """All that there are."""

    known = KnownSerializer(many=True)
    own = OwnSerializer(many=True)


class DetectorLineSerializer(serializers.Serializer[Any]):
    """A detector as a resource has it. `said` is empty where the resource says nothing, `acts` what it does."""

    name = serializers.CharField()
    title = serializers.CharField()
    usual = serializers.CharField()
    said = serializers.CharField()
    acts = serializers.CharField()


class SaidBody(serializers.Serializer[Any]):
    """By a detector's name: a strategy, off, or nothing for what is usual. Those that are not named stay as they are."""

    detectors = serializers.DictField(child=serializers.ChoiceField(choices=CHOICES, allow_blank=True))


class DetectorsView(Asked):
    """All detectors."""

    @extend_schema(responses=DetectorsSerializer)
    def get(self, request: Request) -> Response:
        """Every detector: those that come with the gate, and one's own."""
        self.person(*READERS)
        known = [
            {"name": one.name, "title": one.title, "group": one.group, "usual": USUAL.get(one.name, OFF)}
            for one in KNOWN.values()
        ]
        return Response(DetectorsSerializer({"known": known, "own": OwnDetector.objects.all()}).data)


class OwnDetectorView(Asked):
    """One of one's own."""

    write_scope = AGENTS_WRITE

    @extend_schema(request=OwnBody, responses=OwnSerializer)
    def put(self, request: Request, name: str) -> Response:
        """Write a detector of one's own, or write it anew: it is tried on its sample first."""
        engineer = self.person(Role.ENGINEER)
        found = detector_actions.write_detector(name, **read(OwnBody, request), actor=engineer)
        return Response(OwnSerializer(found).data)

    @extend_schema(request=RemoveBody, responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Take a detector of one's own away: what it found is shown from now on."""
        engineer = self.person(Role.ENGINEER)
        detector_actions.remove_detector(name, reason=read(RemoveBody, request)["reason"], actor=engineer)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResourceDetectorsView(Asked):
    """What a resource says of detectors."""

    write_scope = AGENTS_WRITE

    @extend_schema(responses=DetectorLineSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        """What each detector does at a resource."""
        _, found = self._found(name, *READERS)
        return Response(DetectorLineSerializer(lines_of(found), many=True).data)

    @extend_schema(request=SaidBody, responses=DetectorLineSerializer(many=True))
    def patch(self, request: Request, name: str) -> Response:
        """Say what some detectors do at a resource."""
        engineer, found = self._found(name, Role.ENGINEER)
        detector_actions.set_detectors(found.id, said=read(SaidBody, request)["detectors"], actor=engineer)
        return Response(DetectorLineSerializer(lines_of(found), many=True).data)

    def _found(self, name: str, *roles: Role) -> tuple[User, Resource]:
        person = self.person(*roles)
        resource = visible_resources(person).filter(name=name).first()
        if resource is None:
            raise Http404
        return person, resource
