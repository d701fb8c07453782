"""The base class of all REST views."""

from contextlib import ExitStack
from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.accounts.principals import CustomerCaller, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.query_parameters import check_query


class ScopedAPIView(APIView):
    """A view that runs in the caller's workspace and rejects unknown query parameters."""

    # Query parameters in addition to those of pagination; None if one of the view's serializers checks them.
    filters: ClassVar[frozenset[str] | None] = frozenset()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with ExitStack() as self._scopes:
            return super().dispatch(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, Staff | CustomerCaller):
            self._scopes.enter_context(workspace_scope(request.auth.workspace_id))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.filters is not None:
            pagination = {"limit", "cursor"} if hasattr(self, "pagination_class") else set()
            check_query(request.query_params, self.filters | pagination)
