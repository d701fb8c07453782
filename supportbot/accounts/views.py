"""The base of the rooms' REST views."""

from contextlib import ExitStack
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.accounts.callers import CustomerCaller, Staff
from supportbot.accounts.scope import workspace_scope


class ScopedAPIView(APIView):
    """A view that runs inside its caller's workspace."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with ExitStack() as self._scopes:
            return super().dispatch(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, Staff | CustomerCaller):
            self._scopes.enter_context(workspace_scope(request.auth.workspace_id))
