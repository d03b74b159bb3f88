"""Refusals of the token endpoint in the words of RFC 6749 section 5.2 and RFC 8707 section 2. Pure."""

from __future__ import annotations

from core.errors import NarrowgateError


class OAuthError(NarrowgateError):
    """`code` is the registered error, `message` its description; `remedy` goes to the agent alone, not into the record."""

    def __init__(self, code: str, message: str, *, told: str = "", status: int = 400) -> None:
        super().__init__(message, told)
        self.code = code
        self.status = status


def invalid_client(message: str) -> OAuthError:
    """Who is asking could not be proven."""
    return OAuthError("invalid_client", message, status=401)


def invalid_dpop_proof(message: str) -> OAuthError:
    """A DPoP proof is malformed, of another request, or used before (RFC 9449 section 5)."""
    return OAuthError("invalid_dpop_proof", message)


def use_dpop_nonce() -> OAuthError:
    """The proof holds no nonce of now; the answer brings one along (RFC 9449 section 8)."""
    return OAuthError("use_dpop_nonce", "The DPoP proof needs the nonce in this answer's DPoP-Nonce header.")


def invalid_request(message: str) -> OAuthError:
    """A parameter is missing, repeated or malformed."""
    return OAuthError("invalid_request", message)


def invalid_grant(message: str) -> OAuthError:
    """What was to be exchanged is not, or not any more, or not this agent's."""
    return OAuthError("invalid_grant", message)


def unsupported_grant_type() -> OAuthError:
    """Client credentials, or the exchange of a delegation."""
    return OAuthError("unsupported_grant_type", "The grant_type is client_credentials, or that of token exchange.")


def unauthorized_client(message: str, *, told: str = "") -> OAuthError:
    """The agent is known and may not have a token now; `told` is why, in the words of whoever stopped it."""
    return OAuthError("unauthorized_client", message, told=told)


def invalid_scope(message: str) -> OAuthError:
    """The scope is unknown, or reaches further than what it is to be made of."""
    return OAuthError("invalid_scope", message)


def invalid_target(message: str) -> OAuthError:
    """The resource is missing, unknown, or more than one (RFC 8707)."""
    return OAuthError("invalid_target", message)
