"""The names that expressions can read, and the inputs and results of an evaluation: calls, answers, obstacles. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.deferred_text import DeferredText
from actions.definitions.errors import ExpressionFailed
from actions.definitions.parsed_parts import CallTemplate

FAILED: Final = "definition_failed"
OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Identity:
    """The customer's identity from the signed token."""

    sub: str
    email: str = ""

    def as_record(self) -> dict[str, Any]:
        return {"sub": self.sub} | ({"email": self.email} if self.email else {})


@dataclass(frozen=True, slots=True)
class BackEndCall:
    """One HTTP call below a connection's address, or a tool call. `body` is JSON text."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    tool: str = ""
    schema_hash: str = ""  # the tool's fingerprint when it was reviewed


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_names(self) -> dict[str, Any]:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        return {"status": self.status, "body": self.body, "headers": lowered}


Ask = Callable[[BackEndCall], Answer]


def filled_in(call: CallTemplate, names: Mapping[str, Any]) -> BackEndCall:
    """Return one call with its values filled in; raises ExpressionFailed, and then nothing may be sent."""
    headers = call.headers.headers(names) | ({call.key_header: str(names["key"])} if call.key_header else {})
    body = call.body.text(names) if call.body else None
    return BackEndCall(
        call.method, call.path.render(names), call.query.query(names), headers, body, call.tool, call.schema_hash
    )


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason why a request is forbidden. `words` are for the customer; they are "" if the definition failed or
    none of its guards refused, since the caller has its own messages for these codes. `where` tells the editor which
    guard, look-up or part of the document refused the request, and what went wrong; it may be a deferred text.
    """

    code: str
    words: str = ""
    where: str = ""


class Names(Mapping[str, Any]):
    """The names of an evaluation; those in `computed` are evaluated once, when first read. `chosen` contains each
    argument that is chosen from a list, in the list's spelling; expressions cannot read it.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        computed: Mapping[str, Callable[[], Any]] | None = None,
        chosen: "Mapping[str, Chosen] | None" = None,
    ) -> None:
        self._given = dict(given)
        self._computed = dict(computed or {})
        self.chosen: Mapping[str, Chosen] = chosen if chosen is not None else {}

    def __getitem__(self, name: str) -> Any:
        if name in self._computed:
            self._given[name] = self._computed[name]()
            self._computed.pop(name, None)  # its own computation may already have read and removed it
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._given, *self._computed])

    def __len__(self) -> int:
        return len(self._given) + len(self._computed)

    def with_names(self, given: Mapping[str, Any]) -> "Names":
        computed = {name: value for name, value in self._computed.items() if name not in given}
        return Names({**self._given, **given}, computed, self.chosen)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The value of an argument that is chosen from a list, in the list's spelling, with the names of its entry. A value
    that is not in the list stays as it was given and has no entry; `failure` is the error if the list cannot be read.
    """

    value: str
    entry: Names | None = None
    is_ambiguous: bool = False  # it matches several entries apart from spelling, but none exactly
    failure: ExpressionFailed | None = None


def failed(where: str, error: ExpressionFailed) -> Obstacle:
    """Return the obstacle that an expression at this position in the document cannot be evaluated."""
    return Obstacle(FAILED, "", where_and_why(where, error))


def where_and_why(where: str, error: ExpressionFailed) -> DeferredText:
    """Return where a definition failed, and why."""
    return DeferredText(gettext_noop("{where}: {why}"), where=where, why=error.text)
