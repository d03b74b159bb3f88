"""A console with one of everything in it, so that every address leads to something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts import actions as people
from accounts.models import PendingChange, Role
from activity.erasing_actions import ask_to_erase
from activity.models import Question
from agents import actions as inventory
from agents import halt_actions as halts
from agents.delegation_actions import delegate
from agents.detector_models import OwnDetector
from agents.models import Credential
from agents.view_actions import save_view
from approvals import actions as approvals
from approvals import question_actions
from approvals.granting import Wider
from approvals.models import Grant
from approvals.models import Scope as Alike
from approvals.notifications.models import Notification
from approvals.outbox import webhook_actions as webhooks
from approvals.outbox.models import Device
from audit import actions as reports
from audit.reports import making
from audit.reports.period import Period
from audit.reports.scope import Scope
from core.files import write_public
from core.ids import new_id
from ledger.publishing.tile_files import tile_folder
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from monitoring.models import Incident, Signal
from monitoring.steps import SLUGS
from policies import actions as policies
from policies import intake_actions, rollback_actions, trial_actions
from policies.decision import Ask
from policies.question import question_of
from policies.world import AgentFacts, ResourceFacts
from tests.activity import asking
from tests.approvals.world import World, assemble, enrol, held
from tests.cast import Cast
from tests.monitoring.conftest import sequenced
from tests.policies.worlds import SECRET

ROLES = ("reviewer", "ciso", "auditor", "engineer", "owner", "administrator", "outsider")
"""Who is asked for: one of each role, and somebody with none."""
POLICY = '@id("reads") @why("Reads.")\npermit (principal, action in Action::"sql:read", resource);\n'
WHY = "Asked by the matrix"


class Everything:
    """The world, and what stands for each part of an address."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world: World = assemble(cast)
        self._halt()
        self._work()
        self._inventory()
        self._people()
        self.version = policies.install(POLICY, actor=cast.engineer)
        self.trial = trial_actions.ask(self.version.number, period="7d", actor=cast.engineer)
        self.intake = intake_actions.ask('@id("x") permit (principal, action, resource);', actor=cast.engineer)
        self.rollback = rollback_actions.begin(self.version, None, actor=cast.owner, reason=WHY)

    def _halt(self) -> None:
        self.halt = halts.halt(actor=self.cast.ciso, reason=WHY)
        halts.ask_to_lift(actor=self.cast.ciso, reason=WHY)
        halts.lift(actor=self.cast.engineer)

    def _work(self) -> None:
        agent, resource, now = self.world.agent, self.world.resource, timezone.now()
        self.session = asking.session(agent, resource)
        asked = question_of(
            Ask(agent.name, frozenset({"sql:select"}), resource.name),
            AgentFacts(agent.name, agent.function, agent.environment, agent.segment.name),
            ResourceFacts(resource.name, resource.kind, resource.segment.name),
            SECRET,
        )
        Question.objects.create(id=asked.id, text=asked.text)
        self.action = asking.asked(agent, resource, session_id=self.session.id, question_id=asked.id)
        self.erasure = ask_to_erase(because=WHY, actor=self.cast.auditor, actions=[self.action.id])
        self.hold = held(self.world, session_id=self.session.id)
        self.question = question_actions.ask_owner(self.hold.id, actor=self.cast.reviewer, text=WHY)
        wide = held(self.world, session_id=self.session.id, text="DELETE FROM customers WHERE id = 2")
        wider = Wider(Alike.SAME, 60, 5)
        approvals.approve(wide.id, actor=self.cast.reviewer, seen=wide.digest, wider=wider)
        self.grant = Grant.objects.get()
        began, kind = now - timedelta(minutes=1), Incident.Kind.DENIALS
        self.incident = Incident.objects.create(
            kind=kind, agent=agent, severity="high", began_at=began, detected_at=now
        )
        self.signal = Signal.objects.create(kind="denied", agent=agent, points=5, at=now, entry=0)
        period = Period(now - timedelta(hours=1), now)
        self.report = reports.ask(
            kind="oversight", period=period, scope=Scope("all"), formats=["csv"], actor=self.cast.auditor
        )

    def _inventory(self) -> None:
        agent, resource, now = self.world.agent, self.world.resource, timezone.now()
        inventory.store_secret(resource.id, user="none", password="none", actor=self.cast.engineer)
        inventory.confirm_tag(resource.id, table="customers", column="ssn", tag="ssn", actor=self.cast.engineer)
        self.credential = Credential.objects.create(
            agent=agent, key=agent.keys.get(), resource=resource, issued_at=now, expires_at=now + timedelta(minutes=10)
        )
        inventory.add_resource(
            "till", kind="mcp", segment=self.world.segment, host="till.test", actor=self.cast.engineer
        )
        self.delegation = delegate(
            agent.id, resource=resource, purpose="A ticket", life=timedelta(hours=1), actor=self.cast.owner
        )
        self.suspended = enrol(self.cast, self.world.segment, "billing.production")
        inventory.suspend(self.suspended.id, actor=self.cast.ciso, reason=WHY)
        self.reinstatement = inventory.ask_to_reinstate(self.suspended.id, actor=self.cast.owner, reason=WHY)

    def _people(self) -> None:
        cast, day = self.cast, timedelta(days=1)
        self.token, _ = people.create_api_token(
            cast.administrator, name="mine", scopes=["read"], lifetime=day, actor=cast.administrator
        )
        people.set_roles(cast.teammate, [Role.REVIEWER, Role.ADMINISTRATOR], actor=cast.second_administrator)
        self.change = PendingChange.objects.get()
        OwnDetector.objects.create(
            name=self.world.resource.name, title="A number", pattern="CU-[0-9]{6}", sample="CU-123456"
        )
        self.view = save_view("Mine", "sort=name", actor=cast.ciso)
        self.webhook, _ = webhooks.add(
            actor=self.cast.administrator, name="Chat", url="https://chat.example/", events=["hold:asked"]
        )
        self.device = Device.objects.create(
            person=self.cast.reviewer, endpoint="https://push.example.com/1", name="Firefox"
        )
        self.delivery = webhooks.try_out(self.webhook.id, actor=self.cast.administrator)
        self.notification = Notification.objects.create(
            person=cast.reviewer, kind="review", event="hold:asked", entry=0, entry_uid=new_id(), subject=self.hold.id,
            about=self.hold.summary, at=timezone.now(),
        )  # fmt: skip

    def parts(self, route: str) -> dict[str, Any]:
        """What to put into an address: the thing it is about."""
        if "asked" in route:
            return {"name": self.suspended.name, "asked": self.reinstatement.id}
        named = {
            "agents": self.world.agent.name, "resources": self.world.resource.name, "groups": "dba",
            "segments": self.world.segment.name, "packs": "finance", "tools": "till", "detectors": self.world.resource.name,
        }  # fmt: skip
        identified = {
            "actions": self.action.id, "sessions": self.session.id, "holds": self.hold.id, "queue": self.hold.id,
            "incidents": self.incident.id, "credentials": self.credential.id, "changes": self.change.id,
            "tokens": self.token.id, "reports": self.report.id, "notifications": self.notification.id,
            "reinstatements": self.reinstatement.id, "delegations": self.delegation.id, "halts": self.halt.id, "erasures": self.erasure.id,
            "rollbacks": self.rollback.id, "grants": self.grant.id, "signals": self.signal.id, "views": self.view.id,
            "webhooks": self.webhook.id, "deliveries": self.delivery.id, "devices": self.device.id,
        }  # fmt: skip
        words = route.split("/")
        about = [word for word in words if word in named or word in identified][-1:] or [""]
        return {
            "what": "agents", "use": "actions", "form": "csv", "name": "csv" if "files" in words else named.get(about[0]), "pk": identified.get(about[0], 0),
            "number": self.version.number, "trial_id": self.trial.id, "intake_id": self.intake.id, "intake": self.intake.id, "trial": self.trial.id, "index": 0, "after": 0, "slug": SLUGS[0], "how": "everything", "place": "000.p/1", "level": 0, "volume": "reviewer", "figure": "detect", "question": self.question.id, "question_id": self.question.id, "kid": self.world.agent.keys.get().kid, "username": self.cast.owner.username, "server": "till", "membership_id": 1, "view_id": self.view.id,
            **{f"{one}_id": identified.get(f"{one}s", self.hold.id) for one in _IDENTIFIED}, "delivery_id": self.delivery.id, "device_id": self.device.id,
        }  # fmt: skip


_IDENTIFIED = (
    "rollback",
    "action",
    "session",
    "hold",
    "incident",
    "change",
    "token",
    "report",
    "notification",
    "delegation",
    "erasure",
    "grant",
    "webhook",
)


@contextmanager
def everything(cast: Cast, dsn: str, folder: Path) -> Iterator[Everything]:
    """The console, its ledger written down, its report made."""
    stop = threading.Event()
    sequencer = Sequencer(dsn, FileSigner.load_or_create(folder / "ledger.key", "tests"))
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        made = Everything(cast)
        sequenced()
        assert making.make(made.report.id)
        write_public(tile_folder() / "tile" / "entries" / "000.p" / "1", b"\x00\x00")
        yield made
    finally:
        stop.set()
        thread.join(10)
