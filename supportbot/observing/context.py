"""Which request, task or answer a log line belongs to. Database threads inherit it with the rest of the context."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from supportbot.observing.tracing import trace_id

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039  # replaced, never changed


def about() -> dict[str, str]:
    """Return the ids of the current work, by name: `request`, `task`, `turn`, `trace` if one is recorded, ..."""
    trace = trace_id()
    return _about.get() if trace is None else {**_about.get(), "trace": trace}


@contextmanager
def concerning(**ids: object) -> Iterator[None]:
    """Add these ids to every line logged in this block."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


def concern(**ids: object) -> None:
    """Set exactly these ids for every later line of this thread or coroutine."""
    _about.set({name: str(value) for name, value in ids.items()})
