"""Which request, task or answer a log line belongs to. Database threads inherit it with the rest of the context."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from supportbot.observing.tracing import trace_id

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039  # replaced, never changed


def about() -> dict[str, str]:
    """Return the ids of what this code works on, by name: `request`, `task`, `turn`, `trace` if one is recorded, ..."""
    trace = trace_id()
    return _about.get() if trace is None else {**_about.get(), "trace": trace}


@contextmanager
def concerning(**ids: object) -> Iterator[None]:
    """Put these ids on every line that is logged meanwhile."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


def concern(**ids: object) -> None:
    """Put exactly these ids on every later line of this thread or coroutine."""
    _about.set({name: str(value) for name, value in ids.items()})
