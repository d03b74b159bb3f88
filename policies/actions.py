"""Every change to the policies. Each leaves its entry in the same transaction and moves the agents' revision.

draft → proposed → approved → active → retired. A version is approved by somebody who did not write it; the
first one, on a console that has none, is installed by the engineer who sets it up, and the entry says so.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import SYSTEM, actor_of, require_role
from accounts.models import Role, User
from agents.actions import bump_revision
from core.db import db_now
from core.errors import Invalid, NotFound, Refused, Stale
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record
from policies import cases, plan, rollback_actions, schema, sealing, testing
from policies.check import check, unknown_names
from policies.git import Opens
from policies.models import PolicyPlan, PolicyVersion
from policies.parse import policies
from policies.queries import active, registry
from policies.repository import Repository

Status = PolicyVersion.Status
_LOCK = 0x6E67_706F  # "ngpo": whoever holds it changes versions


def install(
    text: str, *, actor: User, note: str = "", tests: str = "", commit: str = "", repository: str = ""
) -> PolicyVersion:
    """Put the first version in force. Raises Refused when there is a version already, and Invalid."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    require_valid(text)
    require_passing(text, tests)
    packed = plan.write(policies(text))
    with transaction.atomic():
        _lock()
        if PolicyVersion.objects.exists():
            raise Refused("There are policies already.", "Draft a version and have it approved.", code="not_the_first")
        version = _write(text, packed, actor, note=note, tests=tests, commit=commit, repository=repository)
        sealing.seal_approval(version)
        version.save(update_fields=["approval"])
        _activate(version, actor, {"bootstrap": True, **_origin(version)})
    return version


def draft(
    text: str, *, actor: User, note: str = "", tests: str = "", commit: str = "", repository: str = ""
) -> PolicyVersion:
    """Keep `text` as a version of `actor`'s, its test cases with it, signed. Raises Refused (not an engineer) and Invalid."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    sealing.lend(active())
    require_valid(text)
    cases.parse(tests)
    packed = plan.write(policies(text))
    with transaction.atomic():
        _lock()
        return _write(text, packed, actor, note=note, tests=tests, commit=commit, repository=repository)


def fetch(*, actor: User, branch: str = "") -> PolicyVersion:
    """Keep what the deployment's repository holds as a draft of `actor`'s, who proposes it like any other. Raises Refused, Invalid, Stale and NarrowgateError."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    opens = Opens(settings.POLICY_REPOSITORY_TOKEN, settings.POLICY_REPOSITORY_KEY, settings.POLICY_REPOSITORY_HOST_KEY)
    found = Repository.at(settings.POLICY_REPOSITORY, opens).read(branch)
    newest = PolicyVersion.objects.order_by("-number").first()
    if newest is not None and (newest.commit, newest.repository) == (found.commit, found.repository):
        raise Stale(f"Version {newest.number} is of that commit already.", "Push something new to the repository.")
    return draft(
        found.text,
        actor=actor,
        tests=found.tests,
        commit=found.commit,
        repository=found.repository,
        note=f"Fetched from {branch or 'the main branch'}.",
    )


def propose(version_id: UUID, *, actor: User) -> PolicyVersion:
    """Ask for a draft to be approved. Raises Refused (not its author), Stale (not a draft), Invalid (a case fails)."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    with transaction.atomic():
        version = _locked(version_id, Status.DRAFT)
        if version.author_id != actor.id:
            raise Refused("Only its author proposes a draft.", "Draft a version of your own.", code="not_yours")
        sealing.require_sealed(version)
        require_valid(version.text)
        require_passing(version.text, version.tests)
        version.status = Status.PROPOSED
        version.save(update_fields=["status"])
        _record(Event.POLICY_PROPOSED, version, actor, _origin(version))
    return version


def approve(version_id: UUID, *, actor: User) -> PolicyVersion:
    """Approve a proposed version, as somebody other than its author. Raises Refused and Stale."""
    require_role(actor, Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
    with transaction.atomic():
        version = _locked(version_id, Status.PROPOSED)
        if version.author.person == actor.person:
            raise Refused(
                "Nobody approves policies they wrote.", "Ask another engineer or the CISO.", code="own_version"
            )
        version.status, version.approved_by, version.approved_at = Status.APPROVED, actor, db_now()
        sealing.require_sealed(version)
        sealing.seal_approval(version)
        version.save(update_fields=["status", "approved_by", "approved_at", "approval"])
        _record(Event.POLICY_APPROVED, version, actor)
    return version


def activate(version_id: UUID, *, actor: User) -> PolicyVersion:
    """Put an approved version in force, in place of the one that is. Raises Refused, Stale and Invalid."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    with transaction.atomic():
        version = _locked(version_id, Status.APPROVED)
        _require_usable(version)
        _activate(version, actor, {"bootstrap": False})
    return version


def rollback(number: int, *, actor: User, reason: str) -> PolicyVersion:
    """Put an earlier version back in force: it was approved before, and somebody else looks at it after. Raises Refused, NotFound, Stale, Invalid."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    if not reason.strip():
        raise Invalid("reason", "Rolling back needs a reason.", "Say in a sentence what went wrong.")
    with transaction.atomic():
        _lock()
        version = PolicyVersion.objects.filter(number=number).first()
        if version is None:
            raise NotFound(f"There is no version {number}.", "Choose one from the list.")
        _require(version, Status.RETIRED)
        _require_usable(version)
        rollback_actions.begin(version, active(), actor=actor, reason=reason.strip()[:300])
        _activate(version, actor, {"rollback": True, "reason": reason.strip()})
    return version


def sign_unsigned() -> list[PolicyVersion]:
    """Sign what was kept before versions were signed, as the system: whoever may run it has the key. Raises NarrowgateError."""
    with transaction.atomic():
        _lock()
        versions = list(PolicyVersion.objects.select_for_update().filter(signature="").order_by("number"))
        for version in versions:
            version.schema = schema.text()
            sealing.seal(version, b"")
            if version.approved_by_id or version.activated_at:
                sealing.seal_approval(version)
            version.save(update_fields=["schema", "digest", "signature", "approval"])
            _record(Event.POLICY_SIGNED, version, SYSTEM)
        bump_revision()
    return versions


def _require_usable(version: PolicyVersion) -> None:
    """What was checked when it was proposed holds still, as its seal says; only the names it uses may be gone. Raises Invalid."""
    sealing.require_approved(version)
    problem = next(unknown_names(sealing.rules(version), registry()), None)
    if problem is not None:
        raise Invalid("text", problem.reason, problem.suggestion)


def require_valid(text: str) -> None:
    """Raise Invalid with the first problem of `text`, by line, and the number of others."""
    problems = check(text, registry())
    if problems:
        others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Invalid("text", f"Line {problems[0].line}: {problems[0].reason}{others}", problems[0].suggestion)


def require_passing(text: str, tests: str) -> None:
    """Raise Invalid with the first test case that fails, and the number of others."""
    failed = testing.run(text, tests).failed if tests.strip() else ()
    if failed:
        others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        first = failed[0]
        raise Invalid(
            "tests",
            f"The test case “{first.name[:100]}” (line {first.line}) fails: {first.wrong[0]}{others}",
            "A version whose test cases fail is not proposed.",
        )


def _origin(version: PolicyVersion) -> dict[str, object]:
    """What its entry says of where it comes from, where there is anything to say."""
    said: dict[str, object] = {
        name: getattr(version, name) for name in ("commit", "repository") if getattr(version, name)
    }
    return said | ({"tests": f"sha256:{hashlib.sha256(version.tests.encode()).hexdigest()}"} if version.tests else {})


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _locked(version_id: UUID, status: PolicyVersion.Status) -> PolicyVersion:
    _lock()
    version = PolicyVersion.objects.select_related("author").filter(id=version_id).first()
    if version is None:
        raise NotFound("There is no such version.", "Choose one from the list.")
    _require(version, status)
    return version


def _require(version: PolicyVersion, status: PolicyVersion.Status) -> None:
    if version.status != status:
        raise Stale(
            f"Version {version.number} is {version.get_status_display().lower()}, not {status.label.lower()}.",
            "Look again.",
        )


def _write(text: str, packed: bytes, actor: User, **said: str) -> PolicyVersion:
    """Keep a version and its plan, sealed. `said`: its note, tests, commit and repository."""
    newest = PolicyVersion.objects.order_by("-number").first()
    number = newest.number + 1 if newest else 1
    version = PolicyVersion(number=number, text=text, schema=schema.text(), author=actor, created_at=db_now(), **said)
    sealing.seal(version, packed)
    version.save(force_insert=True)
    PolicyPlan.objects.create(version=version, packed=packed)
    return version


def _activate(version: PolicyVersion, actor: User, how: dict[str, object]) -> None:
    before = active()
    if before:
        before.status = Status.RETIRED
        before.save(update_fields=["status"])
    version.status, version.activated_at = Status.ACTIVE, db_now()
    version.save(update_fields=["status", "activated_at"])
    _record(Event.POLICY_ACTIVATED, version, actor, {**how, "replaces": before.number if before else None})
    bump_revision()


def _record(
    event: Event, version: PolicyVersion, actor: User | Actor, details: dict[str, object] | None = None
) -> None:
    subject = Subject(kind="policies", id=str(version.id), name=str(version))
    record(
        event,
        actor=actor_of(actor),
        subject=subject,
        details=details or {},
        digest=version.digest,
        policy_version=version.number,
    )
