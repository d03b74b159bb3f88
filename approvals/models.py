"""Holds: actions waiting for people, and the reviews that settle them."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import User
from accounts.quorum import DATA_OWNER, OWNER_MANAGER, Requirement
from approvals.notifications.models import Notification, NotificationChoices, NotificationCursor
from approvals.outbox.models import Delivery, Device, Webhook
from approvals.waiting_models import Absence, HoldQuestion
from core.errors import AlreadySettled, Stale
from core.ids import new_id

__all__ = [
    "Absence",
    "AfterReview",
    "BrokenGlass",
    "Challenge",
    "Delivery",
    "Device",
    "Grant",
    "Hold",
    "HoldQuestion",
    "Notification",
    "NotificationChoices",
    "NotificationCursor",
    "Review",
    "Webhook",
]


def new_salt() -> bytes:
    """16 random bytes."""
    return secrets.token_bytes(16)


class Hold(models.Model):
    """An action waiting for people. Every change of `status` is a function in `approvals/actions.py`."""

    class Status(models.TextChoices):
        """waiting → approved → released | lapsed, or waiting → denied | expired | withdrawn."""

        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        RELEASED = "released", "Released"
        LAPSED = "lapsed", "Lapsed"
        DENIED = "denied", "Denied"
        EXPIRED = "expired", "Expired"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action_id = models.UUIDField(unique=True)
    session_id = models.UUIDField()
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="holds")
    resource = models.ForeignKey("agents.Resource", on_delete=models.PROTECT, related_name="holds")
    digest = models.CharField(max_length=80)
    salt = models.BinaryField()
    verb = models.CharField(max_length=20)
    summary = models.CharField(max_length=300)
    shown = models.TextField()
    shape = models.CharField(max_length=64, blank=True)
    tables = ArrayField(models.CharField(max_length=140), default=list, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    purpose = models.CharField(max_length=300, blank=True)  # the agent's claim
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    requirement = models.JSONField()  # {"dba": 2, "security": 1}: `Requirement.as_json`
    manager = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )  # of the agent's owner, as it was when it was asked
    asks_manager = models.BooleanField(default=False, db_default=False)  # a seat of it is for them
    asks_owner = models.BooleanField(default=False, db_default=False)  # a seat of it is for the resource's owner
    reasons = models.JSONField(default=list)  # [{"policy": …, "why": …}]
    severity = models.CharField(max_length=8, blank=True)  # the gravest that its policies say: low … critical
    passkey = models.BooleanField(default=False, db_default=False)  # approvals are signed with one
    breakglass = ArrayField(models.CharField(max_length=40), default=list, blank=True, db_default=[])
    policy_version = models.PositiveIntegerField()
    # People who may not review it, as they were when it was asked: [{"user": id, "person": id, "because": "owner"}]
    excluded = models.JSONField(default=list)
    estimate = models.JSONField(null=True, blank=True)  # {"rows": 3, "of": 12480, "table": …, "exact": true, "ms": 41}
    risk = models.PositiveSmallIntegerField(default=0)
    risk_sum = models.JSONField(default=list)  # [{"because": …, "points": 30}]
    locks = models.JSONField(default=list)  # tables locked, where it sits in an open transaction
    in_transaction = models.BooleanField(default=False)
    enforced = models.BooleanField(default=True, db_default=True)  # as Action.enforced
    has_where = models.BooleanField(
        null=True, blank=True
    )  # whether every change in it says which rows; None: not asked
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    asked_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField()
    escalate_to = models.CharField(
        max_length=40, blank=True, default="", db_default=""
    )  # a group that may fill in, later
    escalate_at = models.DateTimeField(null=True, blank=True)  # None once that is done
    escalated_at = models.DateTimeField(null=True, blank=True)
    handed_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked = models.PositiveSmallIntegerField(default=0, db_default=0)  # questions to the agent's owner
    remind_at = models.DateTimeField(
        null=True, blank=True
    )  # None once that is done, and where time is too short for it
    redeem_by = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_because = models.CharField(max_length=300, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    # The denied one that it is asked again of
    resubmits = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="resubmitted"
    )
    # Why the agent asks it again: its claim, made after people had denied this one
    justification = models.CharField(max_length=500, blank=True, default="", db_default="")
    justified_at = models.DateTimeField(null=True, blank=True)
    # The grant that it did not have to wait by
    grant = models.ForeignKey("Grant", null=True, blank=True, on_delete=models.PROTECT, related_name="covered")

    class Meta:
        """The most pressing first; every hold has a deadline."""

        ordering: ClassVar = ["deadline", "id"]
        indexes: ClassVar = [
            models.Index(fields=["deadline"], condition=models.Q(status="waiting"), name="hold_waiting_by_deadline"),
            models.Index(fields=["remind_at"], condition=models.Q(status="waiting"), name="hold_waiting_by_reminder"),
            models.Index(
                fields=["escalate_at"], condition=models.Q(status="waiting"), name="hold_waiting_by_escalation"
            ),
            models.Index(fields=["redeem_by"], condition=models.Q(status="approved"), name="hold_approved_by_redeem"),
            models.Index(fields=["agent", "-asked_at"], name="hold_by_agent"),
            models.Index(fields=["-settled_at"], name="hold_settled_recent"),
            models.Index(fields=["shape", "-asked_at"], name="hold_same_shape"),
            models.Index(
                fields=["agent", "resource"], condition=models.Q(justified_at__isnull=False), name="hold_justified"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(deadline__gt=models.F("asked_at")), name="hold_has_deadline"),
        ]

    def __str__(self) -> str:
        return self.summary

    too_few = False  # no field: that too few people may review it, where that was asked (`queries.too_few`)

    @property
    def needs(self) -> str:
        """Whom it takes, in words."""
        return Requirement.of(self.requirement).words

    def ask_for(self, needs: Requirement) -> None:
        """Take `needs` as what it requires from here on. Not saved."""
        self.requirement = needs.as_json()
        self.asks_owner, self.asks_manager = DATA_OWNER in needs.names, OWNER_MANAGER in needs.names

    def named(self, user: User) -> frozenset[str]:
        """The seats that are for `user` by what they are: the manager's was theirs when it was asked, and is now."""
        owner, then, now = self.resource.owner, self.manager, self.agent.owner.manager
        manages = bool(then and now and then.person == now.person == user.person)
        owns = bool(owner and owner.person == user.person)
        return frozenset({*({DATA_OWNER} if owns else ()), *({OWNER_MANAGER} if manages else ())})

    @property
    def outside(self) -> dict[str, object]:
        """What entries say of an action that the gate does not stand in the way of."""
        return {} if self.enforced else {"enforced": False}

    def require_waiting(self, *, now: datetime) -> None:
        """Raise AlreadySettled unless people can still decide; past its deadline it is settled, whatever a task has done."""
        if self.status != self.Status.WAITING:
            told = self.get_status_display().lower()
            raise AlreadySettled(f"This is already {told}.", self.settled_because or "Nothing is left to decide.")
        if self.deadline <= now:
            raise AlreadySettled("Its deadline has passed, so it is denied.", "The agent can ask again.")

    def require_digest(self, seen: str) -> None:
        """Raise Stale unless `seen` is the digest of this action."""
        if not hmac.compare_digest(self.digest.encode(), seen.encode()):
            raise Stale("This is not the action that was shown.", "Look at it again, then decide.")

    def is_due(self, *, now: datetime) -> bool:
        """Whether it waits past its deadline."""
        return self.status == self.Status.WAITING and self.deadline <= now

    def is_overdue(self, *, now: datetime) -> bool:
        """Whether it is approved and was not collected in time."""
        return self.status == self.Status.APPROVED and self.redeem_by is not None and self.redeem_by <= now


class Scope(models.TextChoices):
    """What an approval lets through: this action, the very same again, or any of its shape."""

    ONCE = "once", "Once"
    SAME = "same", "This exact action"
    SHAPE = "shape", "Any of this shape"


class Review(models.Model):
    """One person's approve or deny of one hold, over the digest they saw."""

    class Verdict(models.TextChoices):
        """What they said."""

        APPROVE = "approve", "Approved"
        DENY = "deny", "Denied"
        RETRACT = "retract", "Taken back"  # an approval that its giver took back before it settled anything

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    digest = models.CharField(max_length=80)
    reason = models.CharField(max_length=1000, blank=True)
    salt = models.BinaryField(default=new_salt)  # of the commitment to `reason` that the ledger holds
    at = models.DateTimeField(default=timezone.now)
    retracted_at = models.DateTimeField(null=True, blank=True)
    signed = models.BooleanField(default=False, db_default=False)  # with a passkey: its entry holds the signature
    # What an approval agrees to beyond this action
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.ONCE)
    minutes = models.PositiveSmallIntegerField(default=0)
    times = models.PositiveSmallIntegerField(default=0)

    class Meta:
        """In the order they were given; each person says a thing once."""

        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hold", "reviewer", "verdict"],
                condition=~models.Q(verdict="retract"),
                name="review_verdict_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.reviewer}"

    def counts_for(self, hold: Hold) -> bool:
        """Whether it is an approval of the kind that `hold` takes: signed, where policy asks for that."""
        return self.verdict == self.Verdict.APPROVE and (self.signed or not hold.passkey)


class BrokenGlass(models.Model):
    """That one person let an action through alone, in an emergency, and what others found when they looked at it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="glass")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField()
    due_at = models.DateTimeField()
    chased_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """The latest first; what nobody has looked at is found by when it is due."""

        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="glass_to_look_at"),
            models.Index(fields=["-at", "-id"], name="glass_by_time"),
        ]

    def __str__(self) -> str:
        return f"Glass broken by {self.by}"


class AfterReview(models.Model):
    """What one person found who looked at a broken glass."""

    glass = models.ForeignKey(BrokenGlass, on_delete=models.PROTECT, related_name="looks")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    found = models.CharField(max_length=1000)
    at = models.DateTimeField()

    class Meta:
        """In the order they looked; nobody looks twice."""

        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["glass", "reviewer"], name="after_review_once")]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.found}"


class Challenge(models.Model):
    """What somebody's passkey was asked to sign: one verdict over the holds that they were shown, once and soon."""

    challenge = models.CharField(max_length=43, primary_key=True)  # base64url: `ledger.verify_passkeys.challenge`
    nonce = models.CharField(max_length=43)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    verdict = models.CharField(max_length=8)
    holds = models.JSONField()  # [[hold, digest]]
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Old ones are found to be forgotten."""

        indexes: ClassVar = [models.Index(fields=["expires_at"], name="challenge_by_age")]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.person}"


class Grant(models.Model):
    """What approvals wider than once leave behind: alike actions of the agent need not wait. Counted, and it ends.

    It lets nothing through by itself: whoever approved must still fill the seats that policy asks for, each time.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="gave")  # whose approvals it rests on
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="grants")
    resource = models.ForeignKey("agents.Resource", on_delete=models.PROTECT, related_name="grants")
    scope = models.CharField(max_length=5, choices=Scope.choices)
    given_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    most = models.PositiveSmallIntegerField()
    uses = models.PositiveSmallIntegerField(default=0)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    revoked_because = models.CharField(max_length=300, blank=True)

    class Meta:
        """The newest first; it is never used more often than it may be, and it ends after it began."""

        ordering: ClassVar = ["-given_at", "-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["agent", "resource", "expires_at"], condition=models.Q(revoked_at=None), name="grant_live"
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(uses__lte=models.F("most")), name="grant_counted"),
            models.CheckConstraint(condition=models.Q(expires_at__gt=models.F("given_at")), name="grant_ends"),
            models.CheckConstraint(condition=~models.Q(scope=Scope.ONCE), name="grant_wider_than_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()}, {self.uses} of {self.most}"

    def is_live(self, *, now: datetime) -> bool:
        """Whether it can still let something through."""
        return self.revoked_at is None and self.expires_at > now and self.uses < self.most
