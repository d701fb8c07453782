"""Keeps extending a worker's lease during a step that may take longer than the lease."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from django.db import Error as AnyDatabaseError
from django.db import connection

from supportbot.accounts.scope import current_workspace_id, workspace_scope


@contextmanager
def extending(extend: Callable[[], object], *, every: float, longest: timedelta, name: str) -> Iterator[None]:
    """Within this block, call `extend` every `every` seconds, for at most `longest`, in a thread named `name`."""
    is_over, workspace_id, ends = Event(), current_workspace_id(), monotonic() + longest.total_seconds()

    def beat() -> None:
        try:
            with workspace_scope(workspace_id):
                while not is_over.wait(every) and monotonic() < ends:
                    with suppress(AnyDatabaseError):  # the next beat may succeed
                        extend()
        finally:
            connection.close()

    beating = Thread(target=beat, name=name, daemon=True)
    beating.start()
    try:
        yield
    finally:
        is_over.set()
        beating.join()
