"""What callers of the REST API may do."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from supportbot.accounts.principals import CustomerCaller, Staff

if TYPE_CHECKING:  # DRF's views import this module through the settings
    from rest_framework.views import APIView


class DenyUnlessNamed(BasePermission):
    """The default permission: a view without permission classes of its own denies everyone."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False


def needs(scope: str) -> type[BasePermission]:
    """Return the permission class for staff who have `scope`."""

    class NeedsScope(BasePermission):
        message = f"This needs the scope {scope}."

        def has_permission(self, request: Request, view: "APIView") -> bool:
            return isinstance(request.auth, Staff) and request.auth.may(scope)

    return NeedsScope


class IsCustomer(BasePermission):
    message = "This is only for customers. Send an identity token or a visitor's secret."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.auth, CustomerCaller)


class AnyCaller(BasePermission):
    """Allows everyone who has a valid credential, customers as well as staff."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return request.auth is not None
