"""Rate limits for callers of the REST API."""

from typing import TYPE_CHECKING

from rest_framework.request import Request

from supportbot.accounts.principals import CustomerCaller, Staff
from supportbot.rate_counters import FailOpenThrottle

if TYPE_CHECKING:  # DRF's views import this module through the settings
    from rest_framework.views import APIView


class CallerThrottle(FailOpenThrottle):
    """Counts requests per caller (person, key or customer) or, without a credential, per IP address."""

    scope = "caller"

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        caller = request.auth
        if isinstance(caller, Staff):
            ident = f"{caller.workspace_id}:{caller.actor}"  # two workspaces may use the same key name
        elif isinstance(caller, CustomerCaller):
            ident = str(caller.customer_id)
        else:
            ident = self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}
