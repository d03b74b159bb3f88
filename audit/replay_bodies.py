"""What the API says of a session that is played."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from activity.models import Action, Frame
from audit.replay import Gap, Replay, Shot


class FrameSerializer(serializers.ModelSerializer[Frame]):
    """What came back, as it was recorded: tagged values masked, at most 50 rows; `cut` where there was more."""

    class Meta:
        """What is shown."""

        model = Frame
        fields: ClassVar = ["columns", "rows", "cut"]


class ShotActionSerializer(serializers.ModelSerializer[Action]):
    """The action, with the literals of tagged positions masked."""

    class Meta:
        """What is shown."""

        model = Action
        fields: ClassVar = ["id", "number", "verb", "shown", "decision", "status", "rows", "sqlstate", "message"]


class ShotSerializer(serializers.Serializer[Shot]):
    """One action, `t` seconds from the session's beginning; `proof` is the state of its entry's proof, checked just now."""

    t = serializers.FloatField()
    kind = serializers.ChoiceField(choices=["allow", "mask", "hold", "deny", "failed"])
    result = serializers.CharField()
    action = ShotActionSerializer()
    frame = FrameSerializer(allow_null=True)
    hold = serializers.UUIDField(source="hold.id", default=None, allow_null=True)
    entry = serializers.IntegerField(source="entry.index", default=None, allow_null=True)
    proof = serializers.CharField(source="proof.state", default=None, allow_null=True)


class SilenceSerializer(serializers.Serializer[Gap]):
    """A silence of so many seconds before the shot with this place, from 0."""

    before = serializers.IntegerField()
    seconds = serializers.FloatField()


class ReplaySerializer(serializers.Serializer[Replay]):
    """A session on a line of time; `earlier` and `later` say whether there is more of it on either side."""

    length = serializers.FloatField()
    earlier = serializers.BooleanField()
    later = serializers.BooleanField()
    shots = ShotSerializer(many=True)
    gaps = SilenceSerializer(many=True)
