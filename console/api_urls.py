"""The API's addresses: `/api/v1/…` for people's programs, `/api/schema/` to describe it."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from agents.api import AgentViewSet, ResourceViewSet, SegmentViewSet
from agents.credential_api import CredentialViewSet, ReinstatementViewSet
from agents.delegation_api import DelegationViewSet
from agents.halt_api import HaltViewSet
from approvals.absence_api import AbsenceView
from approvals.api import HoldViewSet
from approvals.grant_api import GrantViewSet
from approvals.notifications.api import ChoicesView, NotificationViewSet
from approvals.outbox.api import DeliveryViewSet, WebhookViewSet
from approvals.outbox.device_api import DeviceViewSet
from audit.api import ActionViewSet, SessionViewSet
from audit.erasing_api import ErasureViewSet
from audit.ledger_api import CheckpointView, EntryViewSet, EvidenceView, ProofView
from audit.report_api import ReportViewSet
from console.account_api import AccountView, SavedViewViewSet, TokenViewSet
from console.carrying_api import CarryView
from console.people.api import ChangeViewSet, GroupViewSet, PersonViewSet
from console.reach_api import CrossingsView, PermissionsView, ReachView
from monitoring.api import IncidentViewSet, SignalViewSet
from policies.api import PolicyVersionViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("agents", AgentViewSet, basename="agents")
router.register("reinstatements", ReinstatementViewSet, basename="reinstatements")
router.register("credentials", CredentialViewSet, basename="credentials")
router.register("delegations", DelegationViewSet, basename="delegations")
router.register("halts", HaltViewSet, basename="halts")
router.register("resources", ResourceViewSet, basename="resources")
router.register("segments", SegmentViewSet, basename="segments")
router.register("sessions", SessionViewSet, basename="sessions")
router.register("actions", ActionViewSet, basename="actions")
router.register("holds", HoldViewSet, basename="holds")
router.register("grants", GrantViewSet, basename="grants")
router.register("notifications", NotificationViewSet, basename="notifications")
router.register("devices", DeviceViewSet, basename="devices")
router.register("webhooks", WebhookViewSet, basename="webhooks")
router.register("deliveries", DeliveryViewSet, basename="deliveries")
router.register("people", PersonViewSet, basename="people")
router.register("groups", GroupViewSet, basename="groups")
router.register("changes", ChangeViewSet, basename="changes")
router.register("policies", PolicyVersionViewSet, basename="policies")
router.register("incidents", IncidentViewSet, basename="incidents")
router.register("signals", SignalViewSet, basename="signals")
router.register("reports", ReportViewSet, basename="reports")
router.register("erasures", ErasureViewSet, basename="erasures")
router.register("account/tokens", TokenViewSet, basename="tokens")
router.register("views", SavedViewViewSet, basename="views")
router.register("ledger/entries", EntryViewSet, basename="entries")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("v1/ledger/checkpoint", CheckpointView.as_view(), name="checkpoint"),
    path("v1/ledger/evidence", EvidenceView.as_view(), name="evidence"),
    path("v1/ledger/proof", ProofView.as_view(), name="proof"),
    path("v1/account", AccountView.as_view(), name="own_account"),
    path("v1/absence", AbsenceView.as_view(), name="absence"),
    path("v1/notifications/choices", ChoicesView.as_view(), name="choices"),
    path("v1/agents/<str:name>/permissions", PermissionsView.as_view(), name="permissions"),
    path("v1/resources/<str:name>/reach", ReachView.as_view(), name="reach"),
    path("v1/files/<str:what>", CarryView.as_view(), name="files"),
    path("v1/crossings", CrossingsView.as_view(), name="crossings"),
    path("", include("monitoring.api_urls")),
    path("", include("agents.tool_api_urls")),
    path("", include("agents.detector_api_urls")),
    path("v1/", include(router.urls)),
]
