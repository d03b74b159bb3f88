"""What a client can find out by itself: RFC 8414 about the token endpoint, RFC 9728 about what its tokens open. Pure."""

from __future__ import annotations

from agents.access import RESOURCE_URN, SCOPE
from agents.keys import ALGORITHMS

RESOURCES = "/resources/"
"""Under the issuer: a resource as an address, for clients that take no URN (RFC 8707 allows both)."""
TOOL_SERVERS = "/mcp/"
"""Under the issuer: where a tool server is spoken to, which is what clients of MCP call it."""
JWKS = "/.well-known/jwks.json"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
GRANTS = ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")
METHODS = ("private_key_jwt", "tls_client_auth")


def authorization_server(issuer: str) -> dict[str, object]:
    """RFC 8414 section 2."""
    authenticated = {}
    for endpoint in ("token", "introspection", "revocation"):
        authenticated[f"{endpoint}_endpoint_auth_methods_supported"] = list(METHODS)
        authenticated[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(ALGORITHMS)
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": issuer + JWKS,
        "scopes_supported": [SCOPE],
        "response_types_supported": [],
        "grant_types_supported": list(GRANTS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
        **authenticated,
    }


def protected_resource(issuer: str, name: str = "", *, under: str = RESOURCES) -> dict[str, object]:
    """RFC 9728 section 2, of the gate's own addresses or of the resource `name`, whether there is one or not.

    It says nothing that differs between resources, so that nobody learns from it which there are.
    """
    return {
        "resource": f"{issuer}{under}{name}" if name else issuer,
        "authorization_servers": [issuer],
        "jwks_uri": issuer + JWKS,
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
    }


def resource_name(asked: str, issuer: str) -> str:
    """The name of a resource that is given by its URN, its address or its name."""
    for prefix in (RESOURCE_URN, issuer + RESOURCES, issuer + TOOL_SERVERS):
        asked = asked.removeprefix(prefix)
    return asked
