"""Test calls, which show step by step what a definition would do for one customer. Only an audit entry is stored. On
the live connection, only look-ups are sent. On the sandbox, the command is sent too, unless something forbids it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.utils.timezone import now

from actions import audit
from actions.argument_json import read_arguments
from actions.argument_types import parse_arguments
from actions.connections.client import Call, NoAnswer, NotSent, Response
from actions.connections.models import Environment
from actions.deferred_text import translated
from actions.definitions.backend import Sender, client_of
from actions.definitions.cases import ALLOWED, Recorded, request_line
from actions.definitions.defined_action import NAMES, DefinedRead, DefinedWrite, Live, World
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import Answer, Ask, BackEndCall, Names
from actions.definitions.expressions.values import NoValue, as_json, json_text
from actions.definitions.models import ActionDefinitionVersion
from actions.definitions.parsed_parts import Definition
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from
from actions.definitions.trial_explanations import Approval, approval_of, limit_exceeded, other_owner
from actions.errors import MerchantUnavailable
from actions.facts import Facts, Identity, Records
from actions.outcomes import DidNot, Happened, Outcome, Unclear
from actions.reasons import Reason, failure_text, sentence
from actions.spec import Card, Requests, Row
from supportbot.accounts.models import Customer
from supportbot.connection_test_limit import count_test
from supportbot.ids import uuid7
from supportbot.translation import in_locale

SAMPLE: Final = "sample"  # the environment with answers that the caller supplies
_OK: Final = 200
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of a test, without the connection's authentication, and its answer; `status` is 0 if it has none."""

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]]
    headers: Mapping[str, str]
    body: Any
    status: int
    answer: Any
    problem: str


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """The verdict of a guard: `holds` is None if it cannot be evaluated; `words` then tells the editor why."""

    name: str
    holds: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Computed:
    """A value of the definition. `text` is its JSON; if it cannot be evaluated, `is_known` is false and `text` says
    why.
    """

    name: str
    text: str
    is_known: bool


@dataclass(slots=True)
class TrialCall:
    """What a definition would do for one customer. `verdict` is "allowed" or the code of the refusal. `records` are the
    look-ups' answers in the form of a recorded case, `request` is the action's call as it would be sent.
    """

    verdict: str = ""
    words: str = ""  # the message for the customer
    place: str = ""  # where the definition failed, for the audit trail
    failure: str = ""  # where it failed, for the editor, in the active language
    other_owner: str = ""  # the owner of a record that is not the customer's, for the editor
    exchanges: list[Exchange] = field(default_factory=list)
    guards: list[GuardVerdict] = field(default_factory=list)
    values: list[Computed] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    request: BackEndCall | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    card: Card | None = None
    approval: Approval | None = None  # a person's approval, if the request would need one
    limit: str = ""  # the customer's message if a limit of the rules refuses what the definition allows
    outcome: str = "not_sent"  # happened, did_not, unclear or not_sent
    done: str = ""  # the title of the receipt
    receipt: list[Row] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)  # a look-up's answer


def trial_call(
    version: ActionDefinitionVersion,
    *,
    customer: str,
    arguments: str | Mapping[str, Any],
    environment: str = Environment.SANDBOX,
    records: Mapping[str, Any] | None = None,
    locale: str = "en",
    actor: str,
) -> TrialCall:
    """Return what a version does for the customer with this merchant id.

    `environment` is sandbox, live (only look-ups are sent) or sample (the given answers, by "METHOD /path"; nothing is
    sent). If the shop does not answer, the verdict says so. Raises InvalidDefinition for an incomplete document,
    InvalidArguments, NotConnected or TooManyTests.
    """
    if environment != SAMPLE:
        count_test(version.workspace_pk)
    known = Customer.objects.filter(external_id=customer).first()
    trial = _Trial(version, environment, records or {}, locale, known)
    try:
        result = trial.run(Identity(customer, known.email if known else ""), arguments)
    except MerchantUnavailable as error:
        result = trial.ended_by(error)
    with transaction.atomic():
        audit.record(
            "definition.tested", actor=actor, action=version.definition.name, version=version.number,
            environment=str(environment), verdict=result.verdict, outcome=result.outcome, place=result.place,
        )  # fmt: skip
    return result


class _Recording:
    """A sender that records its calls and their answers."""

    def __init__(self, sender: Sender, kept: list[Exchange]) -> None:
        self._sender = sender
        self._kept = kept

    def send(self, call: Call) -> Response:
        try:
            answer = self._sender.send(call)
        except (NotSent, NoAnswer) as error:
            self._keep(call, 0, None, error.why)
            raise
        self._keep(call, answer.status, answer.body, "")
        return answer

    def _keep(self, call: Call, status: int, answer: Any, problem: str) -> None:
        path = f"tool {call.tool}" if call.tool else call.path
        self._kept.append(Exchange(call.method, path, call.query, call.headers, call.body, status, answer, problem))


class _Sandbox(Live):
    """The live world with another environment's connections; it records its calls."""

    def __init__(self, environment: str, kept: list[Exchange]) -> None:
        self._environment = environment
        self._kept = kept

    def sender(self, definition: Definition) -> Sender:
        return _Recording(client_of(definition, self._environment), self._kept)


class _Watched:
    """A world that records the answers of its look-ups, for a recorded case."""

    def __init__(self, world: World, kept: dict[str, Any]) -> None:
        self._world = world
        self._kept = kept

    def moment(self) -> datetime:
        return self._world.moment()

    def asked_at(self) -> datetime:
        return self._world.asked_at()

    def sender(self, definition: Definition) -> Sender:
        return self._world.sender(definition)

    def ask(self, definition: Definition) -> Ask:
        ask = self._world.ask(definition)

        def answer(request: BackEndCall) -> Answer:
            found = ask(request)
            self._kept[request_line(request)] = _kept(found)
            return found

        return answer


def _kept(answer: Answer) -> Any:
    if answer.status == _NOT_FOUND:
        return None
    body = json.loads(json_text(as_json(answer.body)))
    is_mistakable = body is None or (isinstance(body, dict) and body.keys() == {"status", "body"})
    return body if answer.status == _OK and not is_mistakable else {"status": answer.status, "body": body}


class _Trial:
    def __init__(
        self,
        version: ActionDefinitionVersion,
        environment: str,
        records: Mapping[str, Any],
        locale: str,
        customer: Customer | None,
    ) -> None:
        self._result = TrialCall()
        self._customer = customer
        self._sends = environment == Environment.SANDBOX
        self._locale = locale
        world: World = Recorded(records) if environment == SAMPLE else _Sandbox(environment, self._result.exchanges)
        is_published = version.published_at is not None
        made = action_from(parse_document(version.in_entered_order(), is_published=is_published), version.number)
        assert isinstance(made, DefinedWrite | DefinedRead)
        self._action = type(made)(made.definition, made.version, _Watched(world, self._result.records))

    def ended_by(self, error: MerchantUnavailable) -> TrialCall:
        """Return what was found out before the shop failed to answer."""
        self._result.verdict, self._result.words = error.code, error.message
        return self._result

    def run(self, identity: Identity, arguments: str | Mapping[str, Any]) -> TrialCall:
        parsed = parse_arguments(self._action.arguments, read_arguments(arguments))
        if isinstance(self._action, DefinedRead):
            return self._read(self._action, parsed, identity)
        return self._write(self._action, parsed, identity)

    def _read(self, action: DefinedRead, entered: dict[str, Any], identity: Identity) -> TrialCall:
        found = action.look_up(entered, identity, Requests())
        if isinstance(found, Reason):
            self._result.other_owner = other_owner(action, entered, identity, self._result.records)
        answer = found if isinstance(found, Reason) else action.answer(found, (), self._locale)
        if isinstance(answer, Reason):
            return self._refused(answer)
        assert not isinstance(found, Reason)
        self._judge(action.definition, found[0])
        self._result.verdict, self._result.answer = ALLOWED, answer
        return self._result

    def _write(self, action: DefinedWrite, entered: dict[str, Any], identity: Identity) -> TrialCall:
        records = action.gather(entered, identity)
        if isinstance(records, Reason):
            self._result.other_owner = other_owner(action, entered, identity, self._result.records)
            return self._refused(records)
        self._judge(action.definition, records.found[NAMES])
        terms = action.complete(entered, records)
        if isinstance(terms, Reason):
            return self._refused(terms)
        result = self._result
        result.arguments = terms.arguments
        result.card = action.card(terms.arguments, terms.shown, self._locale)
        refusal = action.obstacle(terms.arguments, Facts(records, now(), None, Decimal(0)))
        if refusal is not None:
            return self._refused(refusal)
        result.verdict = ALLOWED
        result.approval = approval_of(action, terms, records, self._customer)
        shown = action.command(terms.arguments, records, key="the-key-of-the-request")
        result.request = None if isinstance(shown, Reason) else shown.asked
        if code := limit_exceeded(action, terms, records, self._customer):
            result.limit = sentence(Reason(code), self._locale)
        elif self._sends:
            self._send(action, terms.arguments, records)
        return result

    def _send(self, action: DefinedWrite, arguments: dict[str, Any], records: Records) -> None:
        key = f"test-{uuid7()}"
        command = action.command(arguments, records, key=key)
        if isinstance(command, Reason):
            self._refused(command)
            return
        outcome = action.back_end(arguments, self._locale).run(command, idempotency_key=key)
        self._result.outcome = _named(outcome)
        if isinstance(outcome, Happened):
            self._result.done = action.done_in(self._locale)
            self._result.receipt = action.receipt_rows(action.receipt(arguments, outcome.result), self._locale)
        elif isinstance(outcome, DidNot):
            self._result.words = outcome.message

    def _judge(self, definition: Definition, names: Names) -> None:
        """Evaluate each guard, even after one that fails, and each computed value."""
        self._result.values = [_computed(name, names) for name in definition.values]
        for guard in definition.guards:
            try:
                holds = guard.require.holds(names)
                words = "" if holds else in_locale(guard.refusal.words, self._locale).words(names, self._locale)
            except ExpressionFailed as error:
                self._result.guards.append(GuardVerdict(guard.name, None, translated(error.text)))
            else:
                self._result.guards.append(GuardVerdict(guard.name, holds, words))

    def _refused(self, reason: Reason) -> TrialCall:
        result = self._result
        result.verdict, result.words = reason.code, sentence(reason, self._locale)
        result.place = str(reason.facts.get("place", ""))
        result.failure = failure_text(reason.facts)
        return result


def _computed(name: str, names: Names) -> Computed:
    try:
        return Computed(name, json_text(as_json(names[name])), is_known=True)
    except ExpressionFailed as error:
        return Computed(name, translated(error.text), is_known=False)
    except NoValue as error:
        return Computed(name, translated(error.why), is_known=False)


def _named(outcome: Outcome) -> str:
    match outcome:
        case Happened():
            return "happened"
        case DidNot(is_final=True):
            return "did_not"
        case Unclear():
            return "unclear"
    return "not_sent"
