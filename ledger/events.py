"""Every kind of entry the ledger holds, and what each means. Pure: no Django, no I/O.

What the details of each hold is in `ledger/schemas.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Event(StrEnum):
    """An event's name, `subject:action`, with a sentence that says what an entry of it states."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Keep the name as the string and the sentence beside it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # ---- actions: what agents asked for ----
    ACTION_ALLOWED = "action:allowed", "Policy allowed an action; recorded before it was released."
    ACTION_DENIED = "action:denied", "An action was denied, and why."
    ACTION_DONE = "action:done", "A released action ended well: rows, bytes, duration, masked values."
    ACTION_ERASED = "action:erased", "What was recorded of an action was erased: its texts, salt and frame."
    ACTION_FAILED = "action:failed", "A released action ended with the resource's error."
    ACTION_RELEASED = "action:released", "An approved action was let through to its resource, once."
    ACTION_UNCERTAIN = "action:uncertain", "The gate lost sight of a released action: it may or may not have run."
    ACTIONS_ALLOWED = (
        "actions:allowed",
        "Several reads were allowed: their number and the Merkle root over their records.",
    )
    ACTIONS_DONE = "actions:done", "Several reads ended: their number and the Merkle root over their records."

    # ---- agents ----
    AGENT_ACTIVATED = "agent:activated", "A second person confirmed that a proposed agent may act."
    AGENT_CHANGED = "agent:changed", "What is registered of an agent was changed."
    AGENT_ENROLLED = "agent:enrolled", "An agent was registered, with its owner and purpose."
    AGENT_OWNERLESS = (
        "agent:ownerless",
        "An agent's owner has no open account any more: unless somebody else is named, it is suspended by itself.",
    )
    AGENT_REINSTATED = "agent:reinstated", "A second person confirmed that a suspended agent may act again."
    AGENT_SUSPENDED = "agent:suspended", "An agent may not act until it is reinstated."
    AGENT_UNUSED = "agent:unused", "An agent got no credential for long: unless it does, it is suspended by itself."
    REINSTATEMENT_ASKED = (
        "reinstatement:asked",
        "Somebody asked that an agent which is suspended or proposed may act, and why.",
    )
    REINSTATEMENT_DECLINED = (
        "reinstatement:declined",
        "A wish to let an agent act was declined or taken back, and why.",
    )
    KEY_ADDED = "key:added", "A public key was registered for an agent."
    KEY_REVOKED = "key:revoked", "A public key of an agent counts no longer."

    # ---- stopping everything ----
    HALTED = "halt:began", "Everything was stopped: every credential ended, nothing is issued or released."
    LIFT_ASKED = "halt:lift_asked", "Somebody asked that agents may act again after everything was stopped, and why."
    LIFTED = "halt:lifted", "A second person lifted the stop of everything."

    # ---- credentials ----
    CREDENTIAL_ISSUED = "credential:issued", "An agent got a short-lived credential."
    CREDENTIAL_REFUSED = "credential:refused", "An agent was refused a credential, and why."
    CREDENTIAL_REVOKED = "credential:revoked", "A credential was ended before its time."

    DELEGATION_ENDED = (
        "delegation:ended",
        "A person ended what they had let an agent do for them, and every credential of it.",
    )
    DELEGATION_GRANTED = "delegation:granted", "A person let an agent act for them: where, what for, until when."
    TOKEN_KEY_CHANGED = (
        "token_key:changed",
        "Access tokens are signed by another key from here on; what the one before signed is good until it expires.",
    )

    # ---- erasing recordings ----
    DETECTOR_REMOVED = (
        "detector:removed",
        "A detector of the customer's own was taken away, and why: what it found is shown from then on.",
    )
    DETECTOR_WRITTEN = "detector:written", "A person wrote a detector of the customer's own, or wrote it anew."
    DETECTORS_SET = "detectors:set", "A person said what detectors do at a resource."
    ERASURE_ASKED = "erasure:asked", "Somebody asked that recordings be erased, and why."
    ERASURE_CONFIRMED = "erasure:confirmed", "A second person confirmed an erasure, which was done."
    ERASURE_DROPPED = "erasure:dropped", "A wish to erase recordings was dropped."
    ERASURE_REFUSED = "erasure:refused", "Somebody tried to confirm or drop an erasure and was refused, and why."

    # ---- exports and reads of the record ----
    EXPORT_MADE = "export:made", "Somebody took a copy of a part of the record."
    RECORD_READ = "record:read", "Somebody opened a page of the record."

    # ---- the gateway itself ----
    GATEWAY_STARTED = "gateway:started", "A gateway process began to listen."
    GATEWAY_STOPPED = "gateway:stopped", "A gateway process ended in order."

    # ---- holds and reviews ----
    ABSENCE_ENDED = "absence:ended", "Somebody is not away any more."
    ABSENCE_SAID = "absence:said", "Somebody said that they are away, from when until when, and who is asked instead."
    GLASS_BROKEN = (
        "hold:glass_broken",
        "One person let an action through alone, in an emergency, where policy lets them: why, and their passkey's signature.",
    )
    GLASS_OVERDUE = "hold:glass_overdue", "Too few have looked in time at an action that one person let through alone."
    GLASS_REVIEWED = (
        "hold:glass_reviewed",
        "Somebody else looked at an action that one person let through alone, and what they found.",
    )
    GRANT_GIVEN = (
        "grant:given",
        "Everybody who approved an action agreed that alike ones need not wait: which, how often, until when.",
    )
    GRANT_REVOKED = "grant:revoked", "A grant was taken back: it lets nothing through any more."
    GRANT_USED = "grant:used", "An action did not wait because a grant covered it."
    HOLD_ANSWERED = "hold:answered", "Somebody who answers for the agent answered a reviewer's question."
    HOLD_APPROVED = "hold:approved", "One person approved the action whose digest they saw."
    HOLD_ASKED = "hold:asked", "An action waits for people: requirement and deadline."
    HOLD_DENIED = "hold:denied", "One person denied the action, which settles its hold."
    HOLD_ESCALATED = "hold:escalated", "It has waited so long that a further group may fill its seats: which."
    HOLD_HANDED = "hold:handed", "Somebody who may review it asked a colleague to, who may as well."
    HOLD_EXPIRED = "hold:expired", "A hold reached its deadline without a decision."
    HOLD_JOINED = "hold:joined", "An agent that asked the same again was given its earlier hold."
    HOLD_LAPSED = "hold:lapsed", "An approved action was not collected in time, or may no longer run."
    HOLD_RELEASED = "hold:released", "An approval was used: the hold let its action through."
    HOLD_QUESTIONED = "hold:questioned", "Somebody who may review it asked those who answer for the agent something."
    HOLD_REMINDED = (
        "hold:reminded",
        "Three quarters of its time are over: those who may still review it are told again.",
    )
    HOLD_RESUBMITTED = "hold:resubmitted", "The agent said why it asks again what people denied."
    HOLD_RETRACTED = "hold:retracted", "One person took their approval back while the action still waited."
    HOLD_STAGE = "hold:second_stage", "The first stage of the requirement is full: those of the second decide."
    HOLD_SETTLED = "hold:settled", "The reviews met the requirement."
    HOLD_WITHDRAWN = "hold:withdrawn", "The agent, its owner or their deputy took its request back."
    REVIEW_REFUSED = "review:refused", "Somebody tried to review or withdraw a hold and was refused, and why."

    # ---- incidents ----
    COUNTS_REPAIRED = "counts:repaired", "The posture page's counts differed from a recount and were written anew."
    CONTAINMENT_WITHHELD = (
        "containment:withheld",
        "An agent was due to be suspended by itself, and left to a person: the day's budget was used up.",
    )
    INCIDENT_ACKNOWLEDGED = "incident:acknowledged", "A person took notice of an incident."
    INCIDENT_ASSIGNED = "incident:assigned", "An incident was given to a person, or to nobody."
    INCIDENT_CONTAINED = "incident:contained", "What an incident is about was stopped, and by what."
    INCIDENT_NOTED = "incident:noted", "A person wrote a note on an incident."
    INCIDENT_OPENED = "incident:opened", "A detection opened an incident: its kind, severity and beginning."
    INCIDENT_REFUSED = "incident:refused", "Somebody tried to change an incident and was refused, and why."
    INCIDENT_RATED = "incident:rated", "A person changed an incident's severity, before and after."
    INCIDENT_RESOLVED = "incident:resolved", "A person resolved an incident, and why."

    MARK_CHANGED = (
        "mark:changed",
        "What a mean time is held against was changed: its baseline and target, before and after.",
    )

    # ---- the ledger itself ----
    LEDGER_KEY_CHANGED = (
        "ledger_key:changed",
        "The ledger's checkpoints are signed by another key from here on: a note that both keys signed.",
    )

    # ---- people ----
    API_TOKEN_CREATED = "api_token:created", "A person made a token for the API."
    API_TOKEN_REVOKED = "api_token:revoked", "A person's token for the API was ended."
    CHANGE_ASKED = "change:asked", "An administrator asked for a change that a second has to confirm."
    CHANGE_CONFIRMED = "change:confirmed", "A second administrator confirmed a change, which was made."
    CHANGE_REFUSED = "change:refused", "Somebody tried to change a person or a group and was refused, and why."
    CHANGE_DROPPED = "change:dropped", "An administrator dropped a change that waited for a second."
    INVITATION_ISSUED = "invitation:issued", "An account was given a new way in; whatever let somebody in before ended."
    MEMBERSHIP_CHANGED = "membership:changed", "Somebody joined or left a group."
    MEMBERSHIP_CONFIRMED = "membership:confirmed", "A second administrator confirmed a membership."
    PASSKEY_ADDED = "passkey:added", "A person added a passkey: its public key."
    PASSKEY_REMOVED = "passkey:removed", "A passkey of a person counts no longer."
    PERSON_CHANGED = "person:changed", "A person's name, e-mail address or manager was changed."
    PERSON_DEACTIVATED = "person:deactivated", "An account was closed: its sessions and API tokens ended."
    PERSON_ERASED = (
        "person:erased",
        "A person's name and e-mail address were destroyed; entries about them verify as before.",
    )
    PERSON_JOINED = "person:joined", "An invited person set their password."
    PERSON_LINKED = "person:linked", "Two accounts were told to be of one person, who counts once."
    PERSON_REACTIVATED = "person:reactivated", "A closed account was opened again; its memberships began anew."
    PERSON_UNLINKED = "person:unlinked", "An account was told to be of a person of its own."
    PERSON_INVITED = "person:invited", "A person was given an account."
    ROLE_CHANGED = "role:changed", "A person's roles were changed."
    SIGN_IN_FAILED = "sign_in:failed", "Somebody failed to sign in."
    SIGNED_IN = "person:signed_in", "A person signed in."
    SIGNED_OUT = "person:signed_out", "A person signed out."

    # ---- policy ----
    POLICY_ACTIVATED = "policy:activated", "A version of the policies came into force."
    POLICY_APPROVED = "policy:approved", "A person approved a proposed version of the policies."
    POLICY_PROPOSED = "policy:proposed", "A person proposed a version of the policies."
    POLICY_ROLLBACK_OVERDUE = (
        "policy:rollback_overdue",
        "Nobody else has looked at a roll-back of the policies in time.",
    )
    POLICY_ROLLBACK_REVIEWED = (
        "policy:rollback_reviewed",
        "A second person looked at a roll-back of the policies, and what they found.",
    )
    POLICY_SHADOW_STOPPED = "policy:shadow_stopped", "A person stopped the shadow of a version of the policies."
    POLICY_SIGNED = (
        "policy:signed",
        "A version of the policies that was kept before versions were signed is signed now.",
    )
    POLICY_TRIED = "policy:tried", "A person had a version of the policies tried on what happened before."

    # ---- reports ----
    REPORT_ASKED = "report:asked", "A person asked for a report: its kind, period, scope and formats."
    REPORT_CANCELLED = "report:cancelled", "A person stopped the making of a report."
    REPORT_FAILED = "report:failed", "A report could not be made, and why."
    REPORT_MADE = "report:made", "A report was made: the hash of each of its files, and the checkpoint it is based on."
    REPORT_REMOVED = (
        "report:removed",
        "The files of a report were removed: their time was over, or what they stated was erased.",
    )

    # ---- what leaves for people and other systems ----
    DEVICE_ADDED = "device:added", "A person has a browser pushed to from here on: whose push service carries it."
    DEVICE_REMOVED = "device:removed", "A browser is pushed to no longer: its person removed it, or it is gone."
    DELIVERY_RESENT = (
        "delivery:resent",
        "An administrator had a mail, a push or a webhook's message delivered once more.",
    )
    WEBHOOK_ADDED = "webhook:added", "Another system is told of entries from here on: where it is, and of which."
    WEBHOOK_CHANGED = "webhook:changed", "What a webhook hears of, or where it is, was changed."
    WEBHOOK_PAUSED = "webhook:paused", "A webhook is told nothing until somebody lets it go on."
    WEBHOOK_REMOVED = "webhook:removed", "A webhook ended: its secret was destroyed."
    WEBHOOK_RESUMED = "webhook:resumed", "A webhook that was paused or stopped is told again."
    WEBHOOK_SECRET_CHANGED = (
        "webhook:secret_changed",
        "A webhook's messages are signed by another secret from here on, and for a while by the one before too.",
    )
    WEBHOOK_STOPPED = (
        "webhook:stopped",
        "Nothing reached a webhook for a day, or its receiver said that it is gone: it is told nothing until somebody lets it go on.",
    )
    WEBHOOK_TRIED = "webhook:tried", "Somebody sent a webhook a message to see whether it arrives."

    # ---- resources and segments ----
    RESOURCE_ADDED = "resource:added", "A resource was put behind the gate."
    RESOURCE_CHANGED = "resource:changed", "What is registered of a resource was changed."
    RESOURCE_RETIRED = "resource:retired", "A resource is behind the gate no longer; its logins left the vault."
    RESOURCE_DESCRIBED = (
        "resource:described",
        "What an API can be asked for was said by its OpenAPI document: its digest.",
    )
    RESOURCE_TRIED = "resource:tried", "Somebody tried whether a resource can be reached, without its secret."
    SECRET_ROTATED = (
        "secret:rotated",
        "The password of a resource's login was changed at the resource and in the vault.",
    )
    SECRET_SCHEDULED = "secret:scheduled", "How often the password of a resource's login is changed by itself was set."
    SECRET_STORED = "secret:stored", "A resource's login was put into the vault."
    SECRET_USED = "secret:used", "The gate took a resource's login from the vault."
    SEGMENT_CHANGED = "segment:changed", "A segment was changed: what it is, or who may review in it."
    SEGMENT_CREATED = "segment:created", "A segment was made."
    SEGMENT_UNMARK_ASKED = (
        "segment:unmark_asked",
        "An administrator asked that a segment be of production no longer; a second one confirms.",
    )
    SEGMENT_UNMARK_DROPPED = "segment:unmark_dropped", "It stays of production: the wish was dropped."
    SEGMENT_RETIRED = "segment:retired", "A segment that was empty takes no agents and resources any more."
    VAULT_KEY_CHANGED = (
        "vault_key:changed",
        "The logins in the vault are under another key from here on: each data key was sealed anew.",
    )
    TAG_CONFIRMED = "tag:confirmed", "A person confirmed what kind of data a column holds."
    TAG_REMOVED = "tag:removed", "A column's tag was taken off: its values are masked no longer, and why."
    TOOL_ACCEPTED = (
        "tool:accepted",
        "A person accepted a tool, a prompt or the instructions of a tool server, by its hash.",
    )
    TOOL_COMMAND_SET = "tool:command_set", "An administrator said which program the gate runs for a tool server."
    TOOL_QUARANTINED = (
        "tool:quarantined",
        "A tool server offers what nobody has accepted, or in other words than were: no agent gets it until a person accepts it.",
    )
    TOOL_WITHDRAWN = "tool:withdrawn", "A person took back that a tool, a prompt or instructions are accepted."
    TOOLS_ASKED = "tools:asked", "A person had a tool server's list read."

    # ---- sessions ----
    SESSION_CLOSED = "session:closed", "A session ended, and why."
    SESSION_CUT = "session:cut", "A person ended a live session, and why."
    SESSION_ERASED = (
        "session:erased",
        "What was recorded in a session was erased: every action's texts, salt and frame.",
    )
    SESSION_OPENED = "session:opened", "An agent connected to a resource."
    SESSION_PROVED = "session:proved", "An agent proved anew, in a live session, that it holds its key."
    SESSION_RENEWED = "session:renewed", "A live session goes on under a newer credential of the same agent."
    SESSION_REFUSED = "session:refused", "A connection was refused before it became a session, and why."


SCHEMAS: dict[Event, int] = {
    # Words as commitments: what a person typed is beside the log
    Event.AGENT_ACTIVATED: 2,
    Event.AGENT_CHANGED: 2,
    Event.AGENT_REINSTATED: 3,  # before that: with who asked
    Event.AGENT_SUSPENDED: 2,
    Event.CREDENTIAL_REVOKED: 2,
    Event.KEY_REVOKED: 2,
    Event.POLICY_ACTIVATED: 2,  # with why it was rolled back to
    Event.REINSTATEMENT_ASKED: 2,
    Event.REINSTATEMENT_DECLINED: 2,
    Event.RESOURCE_RETIRED: 2,
    Event.SEGMENT_RETIRED: 2,
    Event.SESSION_CUT: 2,
    Event.TAG_REMOVED: 2,
    Event.RESOURCE_CHANGED: 2,  # with each field before and after
    Event.TAG_CONFIRMED: 2,  # with what it said before
}


def schema_of(event: Event) -> int:
    """The version of the event's details: 1 until they change shape, then as `SCHEMAS` says."""
    return SCHEMAS.get(event, 1)
