"""Releases for the tests of other packages."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from supportbot.ids import uuid7
from supportbot.releases.document import Document
from supportbot.releases.selectors import ReleaseInForce, _chosen


@contextmanager
def answering_by(document: Document, *, workspace_id: UUID) -> Iterator[None]:
    """Inside this block, use this document for answers, without a database."""
    token = _chosen.set(ReleaseInForce(uuid7(), 1, workspace_id, document))
    try:
        yield
    finally:
        _chosen.reset(token)
