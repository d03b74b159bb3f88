"""The addresses of the gateway's door, for agents. The console's are in `console/urls.py`; the two never mix."""

from django.urls import path

from gateway import discovery
from gateway.oauth import certificate, introspect, revoke, token

handler400 = "gateway.door.malformed"
handler404 = "gateway.door.not_found"
handler500 = "gateway.door.broken"

urlpatterns = [
    path("oauth/token", token, name="token"),
    path("oauth/introspect", introspect, name="introspect"),
    path("oauth/revoke", revoke, name="revoke"),
    path(".well-known/oauth-authorization-server", discovery.authorization_server, name="authorization-server"),
    path(".well-known/oauth-protected-resource", discovery.protected_resource, name="protected-resource"),
    path(
        ".well-known/oauth-protected-resource/resources/<slug:name>",
        discovery.protected_resource,
        name="one-protected-resource",
    ),
    path(".well-known/oauth-protected-resource/mcp/<slug:name>", discovery.tool_server, name="tool-server"),
    path(".well-known/jwks.json", discovery.key_set, name="jwks"),
    path("openapi.json", discovery.description, name="openapi"),
    path("v1/certificate", certificate, name="certificate"),
]
