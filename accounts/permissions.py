"""DRF's question whether a request may pass, answered by the scopes of its token."""

from __future__ import annotations

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.scopes import READ


class HasScope(BasePermission):
    """Safe methods take the scope `read`; others the view's `write_scope`, and are refused where it names none.

    What the view does not take at all is not a matter of scopes: it is answered as such.
    """

    message = "This token's scopes do not cover that."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the request's token covers its method on `view`."""
        if request.method not in view.allowed_methods:
            return True
        scopes = getattr(request.auth, "scopes", ())
        needed = READ if request.method in SAFE_METHODS else getattr(view, "write_scope", None)
        return needed is not None and needed in scopes
