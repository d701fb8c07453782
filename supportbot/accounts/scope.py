"""The workspace scope: every query of tenant data runs inside one workspace, or states why it spans several.

Invariant: outside `workspace_scope` and `across_workspaces`, a tenant model's manager raises an error; there is no
default.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, Generic, TypeVar
from uuid import UUID

from django.db import models
from django.db.models.sql import Query

from supportbot.accounts.errors import UnscopedQuery

logger = logging.getLogger(__name__)
Row = TypeVar("Row", bound=models.Model)


class _AcrossWorkspaces:
    """The value of the scope while a query spans all workspaces."""


_ACROSS: Final = _AcrossWorkspaces()
_scope: ContextVar[UUID | _AcrossWorkspaces | None] = ContextVar("workspace_scope", default=None)


@contextmanager
def workspace_scope(workspace_id: UUID) -> Iterator[None]:
    """Limit tenant queries to this workspace; new rows also belong to it."""
    token = _scope.set(workspace_id)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def across_workspaces(reason: str) -> Iterator[None]:
    """Let tenant queries see all workspaces.

    This is for sweeps, the relay, the runner, and look-ups by key or ticket.
    """
    logger.debug("across workspaces: %s", reason)
    token = _scope.set(_ACROSS)
    try:
        yield
    finally:
        _scope.reset(token)


def current_workspace_id() -> UUID:
    """Return the workspace of the scope.

    Raises UnscopedQuery outside a scope, and in a scope that spans all workspaces.
    """
    scope = _scope.get()
    if isinstance(scope, UUID):
        return scope
    raise UnscopedQuery("No workspace scope. Wrap the call in workspace_scope(...), or set the row's workspace.")


def scoped_workspace_id() -> UUID | None:
    """Return the workspace of the scope, or None outside a scope and in one that spans all workspaces."""
    scope = _scope.get()
    return scope if isinstance(scope, UUID) else None


class TenantManager(models.Manager[Row], Generic[Row]):
    """Returns only rows of the scope's workspace, and raises an error outside a scope.

    Relations of a loaded row use Django's base manager instead; composite foreign keys keep them inside the workspace.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        scope = _scope.get()
        if scope is None:
            raise UnscopedQuery(f"{self.model.__name__} was queried outside any workspace_scope(...).")
        rows = super().get_queryset()
        if not isinstance(scope, _AcrossWorkspaces):
            rows.query = _query_of(self.model, scope).clone()
        return rows


@lru_cache(maxsize=512)
def _query_of(model: type[models.Model], workspace_id: UUID) -> Query:
    """Return the query for a model's rows in a workspace.

    Copying it takes a tenth of the time of building its filter.
    """
    return models.QuerySet(model).filter(workspace_id=workspace_id).query
