"""The door's own addresses as OpenAPI 3.1 describes them, for whoever writes a client. Pure.

What agents do there (`/v1/actions`) has its guide; here is how they get to a credential, and to knowing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ADDRESS: Final = "/openapi.json"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TEXT: Final[Mapping[str, Any]] = {"type": "string"}
PROOF: Final[Mapping[str, Any]] = {
    "client_id": {**TEXT, "description": "The agent's name; required with a client certificate."},
    "client_assertion_type": {**TEXT, "examples": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]},
    "client_assertion": {**TEXT, "description": "A JWT signed by the agent's registered key (RFC 7523)."},
}
TOKEN_FORM: Final[Mapping[str, Any]] = {
    **PROOF,
    "grant_type": {**TEXT, "examples": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"]},
    "resource": {**TEXT, "description": "The one resource that the token is for: its name, URN or address (RFC 8707)."},
    "scope": {**TEXT, "description": "`act`, and verbs to narrow it."},
    "purpose": {**TEXT, "description": "What it is for, in the agent's words."},
    "on_behalf_of": {**TEXT, "description": "Whom it says it acts for: a claim."},
    "networks": {**TEXT, "description": "The only networks that the token may be used from."},
    "subject_token": {**TEXT, "description": "A delegation, or a token that was handed on (RFC 8693)."},
    "subject_token_type": TEXT,
}
STATE_FORM: Final[Mapping[str, Any]] = {**PROOF, "token": TEXT, "token_type_hint": TEXT}
CERTIFICATE_FORM: Final[Mapping[str, Any]] = {**PROOF, "csr": {**TEXT, "description": "PKCS #10, in PEM form."}}
ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": TEXT, "error_description": TEXT},
}
REFUSALS: Final[Mapping[str, str]] = {
    "400": "The request cannot be used (RFC 6749, section 5.2).",
    "401": "Who asks was not proved.",
    "408": "It did not arrive in time.",
    "413": "It is too long.",
    "429": "Too many; wait a minute.",
}


def description(issuer: str) -> dict[str, Any]:
    """The document, for a door at `issuer`."""
    token = _object(
        ["access_token", "token_type", "expires_in"],
        access_token=TEXT, token_type={"enum": ["Bearer", "DPoP"]}, expires_in={"type": "integer"}, issued_token_type=TEXT,
    )  # fmt: skip
    certificate = _object(
        ["certificate", "bundle", "spiffe_id", "expires_at"],
        certificate=TEXT, bundle=TEXT, spiffe_id=TEXT, expires_at=TEXT,
    )  # fmt: skip
    resource = {"name": "name", "in": "path", "required": True, "schema": {**TEXT, "pattern": "^[-a-zA-Z0-9_]+$"}}
    metadata = "/.well-known/oauth-protected-resource"
    return {
        "openapi": "3.1.0",
        "info": {"title": "Narrowgate: the door for agents", "version": "1"},
        "servers": [{"url": issuer}],
        "paths": {
            "/oauth/token": _form("Get a token", TOKEN_FORM, token, dpop=True),
            "/oauth/introspect": _form("Ask what a token says", STATE_FORM, _object(["active"], active={"type": "boolean"})),
            "/oauth/revoke": _form("End a token", STATE_FORM, _object([])),
            "/v1/certificate": _form("Get a certificate", CERTIFICATE_FORM, certificate),
            "/.well-known/oauth-authorization-server": _page("Where tokens come from"),
            metadata: _page("What tokens open"),
            metadata + "/resources/{name}": _page("What tokens open, of one resource", parameters=[resource]),
            metadata + "/mcp/{name}": _page("What tokens open, of one tool server", parameters=[resource]),
            "/.well-known/jwks.json": _page("The keys that sign tokens", "application/jwk-set+json"),
            ADDRESS: _page("This document"),
        },
    }  # fmt: skip


def _object(required: list[str], **properties: object) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


def _form(summary: str, fields: Mapping[str, Any], said: Mapping[str, Any], *, dpop: bool = False) -> dict[str, Any]:
    """A form that is posted, its answer, and how it is refused."""
    refused = {status: _answer(words, JSON, ERROR) for status, words in REFUSALS.items()}
    proof = {
        "name": "DPoP",
        "in": "header",
        "schema": TEXT,
        "description": "A proof (RFC 9449), for a token bound to its key.",
    }
    return {
        "post": {
            "summary": summary,
            "parameters": [proof] if dpop else [],
            "requestBody": {"required": True, "content": {FORM: {"schema": _object([], **fields)}}},
            "responses": {"200": _answer("Done.", JSON, said), **refused},
        }
    }  # fmt: skip


def _page(summary: str, kind: str = JSON, *, parameters: list[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """What may be read; where its address has a parameter, that may be of no form that there is."""
    responses = {"200": _answer("It.", kind, {"type": "object"})}
    responses |= {"404": _answer("No such address.", JSON, ERROR)} if parameters else {}
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": responses}}


def _answer(words: str, kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {kind: {"schema": schema}}}
