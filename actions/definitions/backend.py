"""The back end of a defined action: a connection, and the definition's rules for reading its answers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from actions.connections.client import Call, Client, NoAnswer, NotSent, Response
from actions.connections.decimal_json import from_json
from actions.connections.mcp_tools import ToolClient
from actions.connections.selectors import connection_named
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation import Happened as ObjectReader
from actions.definitions.evaluation import happened, reason_of
from actions.definitions.evaluation_context import OK, Answer, Ask, BackEndCall, Names, filled_in
from actions.definitions.parsed_parts import Definition
from actions.definitions.parsing.arguments import seen
from actions.definitions.rendering import receipt_of
from actions.errors import MerchantUnavailable, NotConnected
from actions.money import Money
from actions.outcomes import DidNot, Found, Happened, NeverSeen, Outcome, Unclear, is_finished
from actions.simulated_backend import sample_shop, simulated_backend
from actions.spec import short

GATHER_SECONDS: Final = 6.0  # limit for all look-ups together; part of an attempt's lease
READ_SECONDS: Final = 4.0
RUN_SECONDS: Final = 8.0
MONEY: Final = "money"  # the key of the amount in complete arguments, and its name in expressions


class Sender(Protocol):
    """A sender of calls: a connection's client, or one that also records what was sent."""

    def send(self, call: Call) -> Response:
        """Return the response, whatever its status; raises NotSent or NoAnswer."""


def client_of(definition: Definition, environment: str = "live") -> Sender:
    """Return the client of the definition's connection, or its stand-in. Raises NotConnected if there is neither, and
    always while sample orders replace the shop.

    If a tool of the live connection has changed since its review, its action is switched off.
    """
    if (found := simulated_backend()) is not None:
        return found
    if sample_shop() is not None:
        raise NotConnected()
    client = Client(connection_named(definition.connection, environment))
    return ToolClient(client, _switching_off(definition.name) if environment == "live" else lambda schema_hash: None)


def _switching_off(name: str) -> Callable[[str], None]:
    # Imported here to avoid a circle: that module publishes definitions, which act through this one.
    from actions.definitions.tool_changes import switch_off_changed

    return partial(switch_off_changed, name)


def asking(sender: Sender, *, seconds: float = GATHER_SECONDS) -> Ask:
    """Return a function that makes look-ups within one deadline; equal look-ups are made only once. The function raises
    MerchantUnavailable.
    """
    ends_at, known = time.monotonic() + seconds, dict[str, Answer]()

    def ask(call: BackEndCall) -> Answer:
        key = repr(call)
        if key not in known:
            left = ends_at - time.monotonic()
            if left <= 0:
                raise MerchantUnavailable()
            try:
                known[key] = _answer(sender.send(_call(call, min(READ_SECONDS, left))))
            except (NotSent, NoAnswer) as error:
                raise MerchantUnavailable() from error
        return known[key]

    return ask


def _call(call: BackEndCall, seconds: float) -> Call:
    body = from_json(call.body.encode()) if call.body is not None else None
    query = parse_qs(call.query, keep_blank_values=True)
    return Call(call.method, call.path, query, call.headers, body, seconds, call.tool, call.schema_hash)


def _answer(response: Response) -> Answer:
    return Answer(response.status, response.body, response.headers)


@dataclass(frozen=True, slots=True)
class Command:
    """A call that is ready to be sent. `names` include the records while they are available."""

    asked: BackEndCall
    names: Names | None = None
    seconds: float | None = None  # time limit for the response, if longer than usual


@dataclass(frozen=True, slots=True)
class DefinedBackEnd:
    """The back end for one request: it sends the call, and looks up the outcome using only the request's arguments."""

    definition: Definition
    arguments: Mapping[str, Any]
    sender: Sender
    locale: str  # the language of the receipt

    def run(self, call: Command, *, idempotency_key: str) -> Outcome:
        rule = self.definition.answer
        assert rule is not None  # guaranteed by the format
        try:
            answer = _answer(self.sender.send(_call(call.asked, call.seconds or RUN_SECONDS)))
        except NotSent as error:
            return DidNot("not_sent", error.why, is_final=False)
        except NoAnswer as error:
            return Unclear(error.why, was_answered=is_finished(error.status))
        names = call.names or names_of_request(self.definition, self.arguments, idempotency_key)
        reading = happened(rule, answer, names)
        if reading is ObjectReader.YES:
            return self._happened(answer, names)
        if reading is ObjectReader.NO:
            return self._did_not(answer, names)
        return Unclear(f"returned {answer.status}", was_answered=is_finished(answer.status))

    def find(self, idempotency_key: str) -> Found:
        rule = self.definition.outcome
        if rule is None or rule.call is None:
            return Unclear("cannot be asked")
        names = names_of_request(self.definition, self.arguments, idempotency_key)
        try:
            answer = _answer(self.sender.send(_call(filled_in(rule.call, names), READ_SECONDS)))
        except ExpressionFailed as error:
            return Unclear(f"outcome.call: {error.place}"[:200])
        except (NotSent, NoAnswer) as error:
            return Unclear(error.why)
        match happened(rule, answer, names):
            case ObjectReader.YES:
                return self._happened(answer, names)
            case ObjectReader.NO:
                return self._did_not(answer, names)
            case ObjectReader.NEVER_SEEN:
                return NeverSeen()
            # No person is called in while a call is in progress, so the author's condition alone is not enough: the
            # status must be a success status, too.
            case ObjectReader.IN_PROGRESS if answer.status in OK:
                return Unclear("in progress", is_in_progress=True)
        return Unclear(f"returned {answer.status}")

    def _happened(self, answer: Answer, names: Names) -> Happened:
        """Return success with the receipt's values, which are read now, while the records may still be available."""
        kept = receipt_of(self.definition, answer, names, self.locale)
        return Happened({name: short(text) for name, _, text in kept})

    def _did_not(self, answer: Answer, names: Names) -> DidNot:
        rule = self.definition.answer
        reason = reason_of(rule, answer, names) if rule else ""
        return DidNot(f"http_{answer.status}", short(reason, 200), is_final=True)


def names_of_request(definition: Definition, arguments: Mapping[str, Any], key: str) -> Names:
    """Return the names available without records: the complete arguments, the amount, the key and the time."""
    moment, declared = datetime.now(UTC), definition.arguments
    known = {name: seen(declared[name].accepts, arguments[name]) for name in declared if name in arguments}
    names: dict[str, Any] = {"arguments": known, "key": key, "now": moment, "today": moment.date()}
    money = money_in(arguments)
    return Names(names if money is None else {**names, MONEY: money})


def money_in(arguments: Mapping[str, Any]) -> Money | None:
    amount = arguments.get(MONEY)
    return Money(Decimal(amount["amount"]), amount["currency"]) if amount else None
