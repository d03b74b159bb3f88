"""The ledger in the API: its entries, its newest signed root, proofs, and evidence to take away. Each page read is an entry."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import Asked
from accounts.models import User
from accounts.permissions import HasScope
from accounts.scopes import EXPORT
from activity.listing import Listed
from agents.api import read as read_body
from audit.api import Listing, parameters
from audit.explorer import EntriesForm, entries_page
from audit.reading import note_export
from audit.roles import READERS
from audit.takers import says
from core.errors import Invalid
from core.streaming import streamed
from ledger import export, queries
from ledger.models import Checkpoint, Entry
from ledger.personal import reveal


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """An entry: `leaf` is the exact text that is hashed, `says` the same taken apart, with people's names."""

    leaf_hash = serializers.SerializerMethodField()
    leaf = serializers.SerializerMethodField()
    says = serializers.SerializerMethodField()

    class Meta:
        """What is shown."""

        model = Entry
        fields: ClassVar = ["index", "event", "recorded", "leaf_hash", "leaf", "says"]

    def get_leaf_hash(self, entry: Entry) -> str:
        """Base64."""
        return _base64(entry.leaf_hash)

    def get_leaf(self, entry: Entry) -> str:
        """The canonical text."""
        return bytes(entry.leaf).decode("utf-8", "replace")

    def get_says(self, entry: Entry) -> dict[str, Any]:
        """The text, read; empty where it cannot be."""
        return says(entry)


class CheckpointSerializer(serializers.Serializer[Any]):
    """A signed root; `note` is the C2SP checkpoint, `root` base64."""

    size = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]  # the checkpoint's word is also a property of DRF's
    note = serializers.CharField()
    signed_at = serializers.DateTimeField()


class ProofSerializer(serializers.Serializer[Any]):
    """An inclusion proof (RFC 6962): `hashes` from the leaf upwards, base64, against `checkpoint`."""

    index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField())
    checkpoint = CheckpointSerializer()


class ReadsLedger(BasePermission):
    """For others than its readers the ledger does not exist."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether whoever asks reads the ledger. Raises Http404 otherwise."""
        if not (isinstance(request.user, User) and request.user.has_role(*READERS)):
            raise Http404
        return True


class ApiEntriesForm(EntriesForm):
    """The filters of the ledger's page, and what else an entry names, each by its identifier."""

    subject = forms.CharField(required=False, max_length=100)
    session = forms.UUIDField(required=False)
    action = forms.UUIDField(required=False)


def _entries_for(user: User) -> QuerySet[Entry]:
    return Entry.objects.all() if user.has_role(*READERS) else Entry.objects.none()


def _page(user: User, asked: Mapping[str, Any], before: str, size: int) -> Listed:
    return entries_page(asked, before, size) if user.has_role(*READERS) else Listed([])


@extend_schema_view(
    list=extend_schema(description="The ledger's entries, newest first.", parameters=parameters(ApiEntriesForm))
)
class EntryViewSet(Listing[Entry]):
    """The ledger's entries, newest first."""

    queryset = Entry.objects.none()
    serializer_class = EntrySerializer
    visible = _entries_for
    form = ApiEntriesForm
    found = _page
    ordering: tuple[str, ...] = ("-index",)
    lookup_value_converter = "int"

    def get_object(self) -> Entry:
        """One of them, with the names of people."""
        return reveal([super().get_object()])[0]


class CheckpointView(APIView):
    """The newest checkpoint."""

    permission_classes = (IsAuthenticated, HasScope, ReadsLedger)

    @extend_schema(responses=CheckpointSerializer)
    def get(self, request: Request) -> Response:
        """The newest signed root."""
        newest = queries.last_checkpoint()
        if newest is None:
            raise Http404
        return Response(_checkpoint(newest))


class ProofView(APIView):
    """Proofs that an entry is in the ledger."""

    permission_classes = (IsAuthenticated, HasScope, ReadsLedger)

    @extend_schema(
        parameters=[
            OpenApiParameter("index", OpenApiTypes.INT, required=True),
            OpenApiParameter("size", OpenApiTypes.INT),
        ],
        responses=ProofSerializer,
    )
    def get(self, request: Request) -> Response:
        """The proof that entry `index` is in the checkpoint of `size`, the newest unless said."""
        index = _whole(request, "index")
        if index is None:
            raise Invalid("index", "A proof is of one entry.", "Give its number: ?index=0")
        proof = queries.inclusion(index, size=_whole(request, "size"))
        said = {
            "index": proof.index,
            "leaf_hash": _base64(proof.leaf_hash),
            "hashes": [_base64(part) for part in proof.hashes],
        }
        return Response(said | {"checkpoint": _checkpoint(proof.checkpoint)})


class EvidenceBody(serializers.Serializer[Any]):
    """Which entries: from `first` up to `last`, which is not among them; the newest signed unless said."""

    first = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    last = serializers.IntegerField(min_value=1, max_value=2**62, required=False, allow_null=True, default=None)


class EvidenceView(Asked):
    """Entries that follow each other, with everything that proves them."""

    write_scope = EXPORT

    @extend_schema(request=EvidenceBody, responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def post(self, request: Request) -> HttpResponseBase:
        """Take evidence away: a ZIP that `narrowgate verify` checks offline. Taking it is an entry."""
        person, given = self.person(*READERS), read_body(EvidenceBody, request)
        package = export.plan(given["first"], given["last"])
        note_export(person, package.first, package.last, package.size)
        name = f"narrowgate-evidence-{package.first}-{package.last - 1}.zip"
        return streamed(export.stream(package), name=name, kind="application/zip")


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    signed_at = checkpoint.signed_at.isoformat()
    return {"size": checkpoint.size, "root": _base64(checkpoint.root), "note": checkpoint.note, "signed_at": signed_at}


def _whole(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Invalid(name, f"{name} is a whole number.")
    return int(text) if text else None


def _base64(data: bytes | memoryview) -> str:
    return b64encode(bytes(data)).decode()
