"""The base of the rooms' REST views."""

from contextlib import ExitStack
from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from supportbot.accounts.principals import CustomerCaller, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.web import check_query


class ScopedAPIView(APIView):
    """A view that runs inside its caller's workspace, and answers no question that holds a word it does not know."""

    # What may stand in the query, besides where a list's page begins; None where a serializer of the view's checks it.
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
            of_pages = {"limit", "cursor"} if hasattr(self, "pagination_class") else set()
            check_query(request.query_params, self.filters | of_pages)
