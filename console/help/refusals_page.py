"""The page that says what to do about each refusal. Pure: no Django, no I/O.

`script/docs` writes it; a test holds it against every code that the gate can answer with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Says = Mapping[str, tuple[str, str]]
"""A code, with what it means and what to do."""

POLICY: Final[Says] = {
    "forbidden": ("A policy forbids it.", "Read the sentence: it is the policy's own. Ask for something narrower, or ask its author."),
    "no_match": ("No policy permits it.", "Ask a platform engineer for a permit that names this agent, verb and resource."),
    "no_policies": ("No version is in force, so nothing is allowed.", "A platform engineer installs the first version."),
    "unknown_agent": ("The agent is not an active one.", "Look at its page: it may be suspended or retired."),
    "unknown_resource": ("No such resource is behind the gate.", "Check the database's name; resources are what `narrowgate resource list` shows."),
    "unknown_verb": ("No policy can speak of this kind of statement.", "Write it as one of the verbs that policies know."),
    "nothing_asked": ("The action has no verb.", "Send a statement."),
    "reserved_context": ("The request carries what only the gate may say.", "Leave `approval`, `time`, `risk` and `session` out."),
    "oversized_context": ("It touches more than a decision will look at.", "Split the statement."),
    "malformed_request": ("The request does not fit the policies' schema.", "Report it to a platform engineer, with the action's identifier."),
    "evaluation_error": ("A policy could not be evaluated.", "A platform engineer mends or rolls back the policy that the sentence names."),
    "engine_error": ("The decision itself failed.", "Try again; if it stays, tell a platform engineer the action's identifier."),
}  # fmt: skip
HOLDS: Final[Says] = {
    "hold_denied": ("A reviewer denied it.", "The reviewer's words are in the message. Change what you ask, or [say why](asking.md#ask-again-what-people-denied) the same is asked again."),
    "hold_expired": ("Nobody decided before the deadline.", "Ask again when reviewers are there; the hold's page names who may."),
    "hold_withdrawn": ("The client, the owner or the deputy took it back.", "Ask again if it is still needed."),
    "hold_lapsed": ("It was approved, and not collected in time, or policy changed meanwhile.", "Ask again; it needs new reviews."),
    "hold_released": ("It was approved, and another session of this agent ran it.", "Nothing: it ran once. Its result is in that session."),
    "resubmitted_enough": ("People have denied it three times in a row.", "Talk to those who decide it; the agent's owner knows them."),
    "once_only": ("What is critical, or sits in an open transaction, or was approved once by somebody, is approved once at a time.", "Approve it once."),
    "too_many_questions": ("Ten questions were asked of one hold.", "Decide by what is known."),
    "not_alike": ("Holds that do not ask alike were decided at once.", "Decide them one by one."),
    "hold_ended": ("The hold is over.", "Ask again if it is still needed."),
    "policies_changed": ("Policy changed while it was being released.", "Nothing: the gate decides again by itself."),
    "quorum_lost": ("The reviews no longer meet what policy requires now.", "Wait: it is asked again of people, or has lapsed."),
    "too_many_holds": ("Too many actions of this agent, owner or resource wait already.", "Let some be decided, or have the owner withdraw them."),
}  # fmt: skip
STATEMENT: Final[Says] = {
    "dangerous_command": ("The command has a shape that nobody lets through.", "Name exactly what is meant, in steps that can be looked at. Policy is not asked."),
    "dangerous_statement": ("The statement has a shape that nobody lets through.", "A database administrator does it at the database itself. Policy is not asked."),
    "masked_column": ("A masked column is used for more than being returned.", "Filter, sort and join by other columns, or get a permit with `@unmask` for its tag."),
    "outputs_unclear": ("Masked data might come back in a form the gate cannot follow.", "Name the columns, or get a permit that unmasks them all."),
    "answer_unclear": ("The resource's answer is not the one expected, or cannot be read and so not be masked.", "Retry; a database's schema may just have changed, an API may answer otherwise than it says."),
    "view_unclear": ("The gate cannot tell what a view reads.", "Read the tables below it."),
    "tag_missing": ("A tagged column is gone or renamed.", "A platform engineer confirms that table's tags again."),
    "unknown_relation": ("The relation does not exist, as far as the gate can see.", "Check its name; the agent's database login may not see it."),
    "unknown_column": ("The column does not exist, as far as the gate can see.", "Check its name."),
    "unknown_type": ("The type does not exist, as far as the gate can see.", "Check its name."),
    "ambiguous": ("The name could be several things.", "Write the table before the column."),
    "other_database": ("Another database is named.", "Connect to that resource instead."),
    "system_relation": ("PostgreSQL's own relations are not open to agents.", "Use `information_schema`, or ask for what is wanted of it."),
    "temporary": ("Temporary objects could stand in for real tables.", "Use WITH, or a table made for the purpose."),
    "cascade": ("TRUNCATE … CASCADE empties tables that it does not name.", "Name every table."),
    "copy_file": ("COPY from or to a file or a program.", "Use STDIN and STDOUT: `\\copy` in psql."),
    "change_before_use": ("A text changes what its later statements would mean.", "Send the changing statement by itself."),
    "unclear_command": ("What a command would do cannot be told before it runs.", "Write it plainly: programs by name, no eval, no script from a pipe. A policy can hold `ssh:unknown` for people; none lets it through without them."),
    "not_understood": ("The gate does not understand the statement.", "Write it more plainly; what is not understood is never run."),
    "not_available": ("PostgreSQL knows it, the gate does not carry it.", "Do without: two-phase commit belongs to one system."),
    "function_call": ("A fast-path function call.", "Call the function in a SELECT."),
    "setting_denied": ("This setting may not be changed or shown.", "Leave it out: the gate pins what decides a statement's meaning."),
    "setting_value_denied": ("This setting may not have that value.", "Use another value, or leave it out."),
    "syntax_error": ("The statement does not parse.", "Correct it; the message is PostgreSQL's own."),
    "nul_byte": ("The statement holds a NUL byte.", "Send text."),
    "not_utf8": ("The statement is not UTF-8.", "Set the client's encoding to UTF-8."),
    "too_long": ("The statement is too long, or has too many parts.", "Split it."),
    "too_deep": ("The statement is nested too deep.", "Split it, or use WITH."),
    "unknown_statement": ("The prepared statement is not there.", "Prepare it again in this session."),
    "unknown_portal": ("The portal is not there.", "Bind again in this transaction."),
    "unknown_prepared": ("The prepared statement is not there.", "PREPARE it again in this session."),
    "unknown_method": ("The gate knows no such method of MCP, so it does not pass.", "Use tools, prompts and resources."),
    "invalid_params": ("The parameters do not fit the method, or the arguments the tool's schema.", "The message says where: send what the schema asks for."),
    "unlisted_tool": ("The tool server offers no such tool or prompt.", "Ask for its list."),
    "tool_quarantined": ("Nobody has accepted the tool as it is: it is new, or its server has changed it.", "A platform engineer looks at the difference and accepts it, on the resource's page."),
    "unlisted_operation": ("The API's description lists no such operation.", "Whoever answers for the resource lists it, or the agent asks for one that is."),
    "unlisted_parameter": ("The operation lists no such query parameter.", "Leave it out, or have it listed."),
    "path_denied": ("The path or query could be read in two ways.", "Write it plainly: no dots, double or encoded slashes, semicolons."),
    "header_denied": ("A header is there twice, or too long.", "Send it once."),
    "body_denied": ("The body is not of a media type that the operation lists, or is no strict JSON; or people would have to approve one of more than 1 MiB.", "Send what is listed, each name once, not compressed; what takes people in parts."),
    "unknown_cursor": ("The cursor is not there.", "DECLARE it again in this transaction."),
}  # fmt: skip
CONNECTION: Final[Says] = {
    "no_token": ("No token was given.", "Give one as the password: `narrowgate token AGENT`."),
    "invalid_token": ("The token is not one of this gate's, or is for another resource.", "Get a new one for this resource."),
    "invalid_svid": ("The client's certificate names no agent of this deployment.", "Get one with `narrowgate agent run AGENT -- COMMAND`."),
    "token_bound": ("The token is bound to a key or a certificate, and that was not shown.", "Present it with a DPoP proof, or over TLS with its certificate."),
    "wrong_network": ("The token names the networks that it may be used from.", "Use it there, or ask for one that names this network."),
    "halted": ("Everything was stopped by a person.", "Two people can lift it; then get a new credential."),
    "renewal_refused": ("The token renews nothing here: it says something else than the session, or a statement still runs.", "Renew between statements, with a token of the same agent and delegation."),
    "proof_needed": ("A policy asks for a fresh proof that the agent's key is held.", "Over PostgreSQL, answer the challenge in the hint: `narrowgate proof AGENT CHALLENGE`, or connect anew with a certificate. Over HTTP, use a token bound to a key, or one bound to a certificate over a new connection."),
    "proof_refused": ("The proof does not answer what the gate asked, is not by the agent's registered key, or comes while a statement runs.", "Ask again, and answer the new challenge between statements."),
    "outside_delegation": ("The credential is good for fewer verbs than this needs.", "Ask whoever let the agent act for them for more, or act without their delegation."),
    "delegation_ended": ("The person whom the agent acts for has no account any more.", "Get a token without their delegation."),
    "expired_token": ("The token has expired.", "Get a new one; they last ten minutes."),
    "credential_expired": ("The session outlived its credential.", "Connect again with a new one."),
    "credential_revoked": ("The credential was revoked.", "Ask the owner why; then get a new one."),
    "wrong_agent": ("The credential belongs to another agent.", "Connect as the agent that the message names."),
    "agent_not_active": ("The agent is proposed, suspended or retired.", "Its page says since when and why. Two people who do not own it can let it act again."),
    "argument_unknown": ("A policy looks at a parameter that is bound in a binary form which the gate does not know.", "Send it as text, or declare a type of PostgreSQL's own."),
    "rows_unknown": ("A policy looks at how many rows a statement would touch, and the database's planner cannot say.", "Ask for it as one plain statement without calls of functions, or have the policy leave it out."),
    "clock": ("A policy looks at how old the credential is, and by the gate's clock it is not issued yet.", "A platform engineer sets the clock of the gate's machine, then asks why it was wrong."),
    "no_login": ("The resource has no login in the vault.", "A platform engineer stores one."),
    "too_many_connections": ("The resource takes no more connections.", "Close some, or try again in a moment."),
    "replication_denied": ("The gate carries no replication.", "Use ordinary connections."),
    "protocol": ("The client does not speak PostgreSQL's protocol as the gate knows it.", "Use TLS and a current client."),
    "sign_in_timeout": ("Signing in took too long.", "Try again; look at the network between."),
    "resource_unavailable": ("The database behind the gate does not answer.", "A platform engineer tests the resource's connection."),
    "catalog_unavailable": ("The gate cannot read the database's catalog.", "Try again; a platform engineer tests the connection."),
    "no_description": ("What the API can be asked for is not described.", "A platform engineer gives its OpenAPI document: `narrowgate resource describe`."),
    "wrong_resource": ("The token is for another resource than the address names.", "Ask for a token for this one."),
    "session_ended": ("The session ended before the request was sent: it was cut, or the credential revoked.", "The message says why; ask for a new token."),
    "unknown_session": ("There is no such session with a tool server, or it is somebody else's: the two are never told apart.", "Begin one with `initialize`."),
    "unknown_version": ("The request says another revision of MCP than its session speaks.", "Send the one that `initialize` agreed on."),
    "wrong_origin": ("A page of another origin asks.", "Ask from a program, or from a page of the gate's own address."),
    "not_acceptable": ("The client does not accept the media types that answers have.", "Accept `application/json` and `text/event-stream`."),
    "cancelled": ("The client cancelled it, or it took more than 15 minutes.", "What changes something may have happened: the action's page says `uncertain`."),
    "upgrade_denied": ("WebSockets and other protocols within HTTP are not carried.", "Use plain requests, or server-sent events."),
    "host_key_changed": ("The host shows another key than the one registered.", "A platform engineer compares it at the host. If it was changed on purpose, they register the new one; else somebody is in between."),
    "redirect_denied": ("The API redirects to outside the resource.", "The gate does not follow: register that place as a resource of its own."),
    "answer_too_long": ("What comes back is longer than the gate reads or carries.", "Ask for less at a time."),
    "address_refused": ("The API's name leads to an address that no resource has.", "A platform engineer registers it by address, or with a CA of its own."),
    "resource_timeout": ("The API did not answer in time.", "What changes something may have happened: the action's page says `uncertain`."),
    "key_reused": ("Under this Idempotency-Key something else was asked for.", "Use a new key for a new request, and the same one to repeat it."),
    "asked_for_another": ("It was asked on behalf of somebody else than the token is for.", "Come with a token for the same person."),
    "too_many_streams": ("The agent follows ten actions at this gateway already.", "Close a stream, or ask with `?wait=60`."),
    "in_progress": ("The same request, under the same key, is being decided.", "Ask again in a moment, with the same key."),
    "method_not_allowed": ("The address takes another method.", "The `Allow` header names it."),
    "invalid_request": ("The request cannot be read: a header twice, or a body that did not arrive in time.", "The problem names the part."),
    "record_unavailable": ("The gate cannot write its record, and releases nothing unrecorded.", "Try again in a moment; operators look at the database."),
    "shutting_down": ("The gate stops, and begins nothing new.", "Ask again in a moment; what waits for people waits on."),
    "deaf": ("The gate has not heard from its own database for a second.", "Try again in a moment; operators look at the database."),
    "broken": ("Something broke at the gate, and was logged.", "Tell the operators when it was."),
}  # fmt: skip
REVIEW: Final[Says] = {
    "invalid": ("A value cannot be used.", "The message names the field and what to write."),
    "not_found": ("It is not there, or is not for you: the two are never told apart.", "Check the address; ask somebody whose role shows it."),
    "refused": ("A rule forbids it.", "The message says which, and what to do."),
    "not_eligible": ("You may not review this hold.", "The sentence says why; [why can I not review this?](reviewer.md#why-can-i-not-review-this) says what can be done."),
    "still_open": ("What should be erased still runs, or waits for people.", "Cut the session or settle the hold, or wait for its end."),
    "stale": ("It changed since it was shown to you.", "Look at it again, and decide what you see now."),
    "already_settled": ("Somebody settled it first.", "Nothing: the page shows who and how."),
    "own_account": ("Nobody changes their own roles or groups.", "Ask another administrator."),
    "own_agent": ("Nobody reinstates their own agent, or answers its incident.", "Ask somebody who neither owns nor enrolled it."),
    "own_group": ("Nobody widens what a group of their own reviews.", "Ask another administrator."),
    "own_version": ("Nobody approves policies they wrote.", "Ask another platform engineer."),
    "own_rollback": ("Nobody reviews their own roll-back.", "Ask another engineer or the CISO."),
    "not_yours": ("It is for its author alone: a draft, or a token.", "Ask them, or make your own."),
    "second_administrator": ("A second administrator has to confirm it.", "Ask another administrator: it waits on the person's page."),
    "too_many": ("Too many reports or trials of yours wait already, or there are 50 webhooks.", "Let one finish, or cancel or remove one."),
    "not_told": ("The webhook that it would be delivered to is paused, stopped or removed.", "Let it go on first."),
    "still_production": ("The segment is one of production, and you would take that back.", "Ask an administrator, and a second one: whoever enrols agents does not decide alone who acts."),
    "refused_rows": ("Some rows of the file cannot be used, so nothing was changed.", "Each is named with its line and field: mend them, or leave them out."),
    "cannot_rotate": ("The resource does not let a login change its own password.", "Store a new one."),
    "not_empty": ("The segment still holds agents or resources.", "Move or retire them first."),
    "same_person": ("You asked for it, or enrolled it.", "A second person confirms; the agent's page says who may."),
    "question_changed": ("What is kept of the action is not what its ledger entry names.", "Somebody changed it in the database: compare with a backup, and tell the CISO."),
    "passkey_required": ("Policy asks that this approval is signed with a passkey.", "Approve it on its page; a program with an API token cannot."),
    "passkey_refused": ("What the passkey signed is not this decision, was signed too long ago, or was used before.", "Decide again on the hold's page."),
    "no_passkey": ("You have no passkey yet.", "Add one to your account."),
    "has_passkeys": ("The account has passkeys, which one administrator alone does not end.", "Ask for their recovery: a second administrator confirms it."),
    "no_breakglass": ("Policy lets nobody break the glass here.", "It takes its approvals."),
    "not_the_first": ("There are policies already.", "Propose a version instead."),
    "no_repository": ("The deployment names no Git repository.", "Set POLICY_REPOSITORY, or push from a folder."),
}  # fmt: skip
GROUPS: Final[Mapping[str, Says]] = {
    "By policy": POLICY,
    "After waiting for people": HOLDS,
    "Because of the statement": STATEMENT,
    "At the connection": CONNECTION,
    "In the console": REVIEW,
}
HEAD: Final = """# What is refused, and what to do

An agent is told in PostgreSQL's own error form: the sentence is the message, the remedy the HINT, and the action's identifier is in the message, so that its page says the rest. The
code below is on that page and in the ledger. In the API it is `code` of an `application/problem+json`.
"""


def page() -> str:
    """The page, as Markdown."""
    parts = [HEAD]
    for group, codes in GROUPS.items():
        parts.append(f"\n## {group}\n\n| code | what it means | what to do |\n|---|---|---|\n")
        parts += [f"| `{code}` | {means} | {do} |\n" for code, (means, do) in codes.items()]
    return "".join(parts)
