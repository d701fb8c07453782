"""Defined actions: each is one version of a document and behaves like an action in code.

A version never changes, so each process builds its action once. If a part cannot be evaluated for the customer's
records, the request is refused (`definition_failed`), and the audit trail records where in the document the part is.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final, Protocol

from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from actions.canonical_json import canonical
from actions.definitions import evaluation, rendering
from actions.definitions.backend import (
    MONEY,
    Command,
    DefinedBackEnd,
    Sender,
    asking,
    client_of,
    money_in,
    names_of_request,
)
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import Answer, Ask, BackEndCall, Names, Obstacle, filled_in
from actions.definitions.evaluation_context import Identity as SignedIdentity
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.values import NoValue, as_json
from actions.definitions.ownership_analysis import needed_for, reads_argument
from actions.definitions.parsed_parts import Definition, Lookup, RecordChoice
from actions.definitions.record_lists import choices_of
from actions.errors import CannotUndo, InvalidArguments
from actions.facts import Arguments, Facts, Identity, Records, Subject, Unsettled
from actions.models import MAX_SUBJECT_ID
from actions.money import Money, format_amount
from actions.outcomes import OutcomeKind
from actions.reasons import FAILED, MAX_PLACE, WORDS, Reason, failed_at
from actions.spec import (
    CARDS,
    HAND_OVER,
    Action,
    Card,
    Choice,
    Choices,
    Limits,
    ReadAction,
    Requests,
    Row,
    Terms,
    Undo,
    WriteAction,
)
from supportbot.accounts.workspaces import workspace_time
from supportbot.translation import in_locale, with_label

NAMES: Final = "names"
# Keys of `shown`: a hash of the call that the card represents, and the time used in this call.
CALL: Final = "call"
CALL_AT: Final = "call_at"
_PROBE_KEY: Final = "00000000-0000-7000-8000-000000000000"  # a dummy key for testing whether a call can be built


class World(Protocol):
    """Everything external that a definition uses: the time, look-ups and calls."""

    def moment(self) -> datetime:
        """Return the time, in the workspace's zone."""

    def asked_at(self) -> datetime:
        """Return when the customer asked, in the workspace's zone; the arguments' days are checked against it."""

    def ask(self, definition: Definition) -> Ask:
        """Return a function that performs the look-ups of one decision. Raises NotConnected."""

    def sender(self, definition: Definition) -> Sender:
        """Return the sender of calls. Raises NotConnected."""


class Live:
    """The workspace's own connections."""

    def moment(self) -> datetime:
        return workspace_time(now())

    def asked_at(self) -> datetime:
        return self.moment()

    def ask(self, definition: Definition) -> Ask:
        return asking(self.sender(definition))

    def sender(self, definition: Definition) -> Sender:
        return client_of(definition)


class _Defined(Action):
    """The common base of defined reads and writes."""

    def __init__(self, definition: Definition, version: int, world: World | None = None) -> None:
        self.definition = definition
        self.name = definition.name
        self.version = version
        self.risk = definition.risk
        self.arguments = definition.shape()
        self.chosen = frozenset(one.name for one in definition.arguments.values() if one.choose_from)
        self.from_chat = frozenset(one.name for one in definition.arguments.values() if one.is_from_chat)
        self.title = in_locale(definition.title, "en")
        self.description = definition.description
        self.examples = definition.examples
        self._world = world or Live()

    def title_in(self, locale: str) -> str:
        return in_locale(self.definition.title, locale)

    def option_label(self, argument: str, option: str, locale: str) -> str:
        name, _, inner = argument.partition(".")
        spec = self.definition.arguments.get(name)
        options = (spec.inner_labels.get(inner, {}) if inner else spec.labels) if spec else {}
        labels = options.get(option)
        return in_locale(labels, locale) if labels else option

    def argument_label(self, argument: str, locale: str) -> str:
        name, _, inner = argument.partition(".")
        spec = self.definition.arguments.get(name)
        label = (spec.inner_label.get(inner) if inner else spec.label) if spec else None
        return in_locale(label, locale) if label else ""

    def labelled_schema(self, locale: str) -> dict[str, Any]:
        schema = super().labelled_schema(locale)
        try:
            every = self._day_bounds()
        except ExpressionFailed:  # a call is refused later, with the reason
            every = {}
        for name, bounds in every.items():
            limits = zip(("formatMinimum", "formatMaximum"), bounds, strict=True)
            schema["properties"][name] |= {key: day.isoformat() for key, day in limits if day}
        return schema

    def _day_bounds(self) -> dict[str, tuple[date | None, date | None]]:
        """Return the first and last day allowed for each argument with bounds; raises ExpressionFailed."""
        every = self.definition.arguments
        bounded = [every[name] for name in self.arguments.all_fields if every[name].earliest or every[name].latest]
        if not bounded:
            return {}
        moment = self._world.asked_at()
        names = {"now": moment, "today": moment.date()}
        return {one.name: (_day(one.earliest, names), _day(one.latest, names)) for one in bounded}

    def check_days(self, entered: Arguments) -> None:
        """Raise InvalidArguments for a day that is too early or too late for its argument, and ExpressionFailed if the
        bounds cannot be evaluated.
        """
        problems = {
            name: [_out_of_bounds(least, greatest)]
            for name, (least, greatest) in self._day_bounds().items()
            if name in entered
            and not (least or date.min) <= date.fromisoformat(entered[name]) <= (greatest or date.max)
        }
        if problems:
            raise InvalidArguments(fields=problems)

    def choices(
        self, arguments: Sequence[str], entered: Arguments, identity: Identity, locale: str, requests: Requests
    ) -> dict[str, Choices] | Reason:
        lookups = needed_for(self._choosing(arguments[0]), self.definition.lookups)
        ask = _counted(self._world.ask(self.definition), requests)
        names = evaluation.names_of(
            self.definition, entered, SignedIdentity(identity.sub, identity.email), self._world.moment()
        )
        own = in_locale({language: language for language in self.definition.title}, locale)
        found = {
            name: choices_of(self.definition, self.definition.arguments[name], names, ask, own)
            for name in arguments
            if name == arguments[0] or self._is_from_same_records(self._choosing(name), lookups, arguments)
        }
        obstacle = found[arguments[0]]
        if isinstance(obstacle, Obstacle):
            if obstacle.code == FAILED:
                return failed_at(obstacle.where)
            return Reason(obstacle.code, {f"{WORDS}{own}": obstacle.words})
        return {
            name: Choices([Choice(value, label) for value, label in one.offered], is_every=one.is_every)
            for name, one in found.items()
            if not isinstance(one, Obstacle)
        }

    def choices_need(self, argument: str, others: Collection[str]) -> bool:
        return reads_argument(self._choosing(argument), others, self.definition.lookups)

    def _is_from_same_records(self, choosing: RecordChoice, lookups: Sequence[Lookup], lacking: Sequence[str]) -> bool:
        """Return whether exactly these look-ups, and no other choice, determine the records to choose from."""
        every = self.definition.lookups
        return needed_for(choosing, every) == lookups and not reads_argument(choosing, lacking, every)

    def _choosing(self, argument: str) -> RecordChoice:
        choosing = self.definition.arguments[argument].choose_from
        assert choosing is not None  # only called for such arguments
        return choosing

    def gathered(self, entered: Arguments, identity: Identity, requests: Requests) -> Records | Reason:
        """Return the records as names for expressions. Raises MerchantUnavailable or NotConnected."""
        read_at, ask = now(), _counted(self._world.ask(self.definition), requests)
        own = {name: value for name, value in entered.items() if name in self.arguments.all_fields}
        try:
            signed = SignedIdentity(identity.sub, identity.email)
            names = evaluation.names_of(self.definition, own, signed, self._world.moment())
        except ExpressionFailed as error:
            return _failed("arguments", error)
        found = self._in_words(lambda locale: evaluation.look_up(self.definition, names, ask, locale))
        return found if isinstance(found, Reason) else Records({NAMES: found}, identity, read_at)

    def _refusal(self, records: Records) -> Reason | None:
        names: Names = records.found[NAMES]
        found = self._in_words(
            lambda locale: evaluation.first_obstacle(self.definition, names, locale, is_undo=records.is_undo)
        )
        assert found is None or isinstance(found, Reason)
        return found

    def _in_words(self, look: "Callable[[str], Names | Obstacle | None]") -> Names | Reason | None:
        """Return what `look` returns, with an obstacle's text in every language of the definition."""
        locales = list(self.definition.title)
        found = look(locales[0])
        if not isinstance(found, Obstacle):
            return found
        if found.code == FAILED:
            return failed_at(found.where)
        spoken = {locale: look(locale) for locale in locales}
        words = {f"{WORDS}{locale}": one.words for locale, one in spoken.items() if isinstance(one, Obstacle)}
        return Reason(found.code, {name: text for name, text in words.items() if text})


class DefinedWrite(_Defined, WriteAction):
    """A write defined by a document."""

    def __init__(self, definition: Definition, version: int, world: World | None = None) -> None:
        super().__init__(definition, version, world)
        assert definition.subject is not None and definition.outcome is not None  # guaranteed by the format
        self.subject_kind = definition.subject.kind
        self.outcome = OutcomeKind(definition.outcome.kind.value)
        self.limits = _limits(definition)
        if definition.call is not None and definition.call.names_no_customer:
            # The format requires a limit. Without one, nothing would be allowed.
            self.most_requests = self.limits.max_requests_per_customer_day or 0
        self.may_ask_approval = definition.approval is not None
        self.approvals = definition.approval.approvers if definition.approval else 1
        self.approval_role = definition.approval.role if definition.approval else ""
        self.undo = Undo(definition.undo.action, definition.undo.within_hours) if definition.undo else None

    def done_in(self, locale: str) -> str:
        return in_locale(self.definition.done, locale) if self.definition.done else super().done_in(locale)

    def gather(self, entered: Arguments, identity: Identity) -> Records | Reason:
        return self.gathered(entered, identity, Requests())

    def no_records(self, arguments: Arguments) -> Reason:
        return Reason("record_not_found")

    def subject(self, arguments: Arguments, records: Records | None) -> Subject:
        if records is None:
            return Subject(self.subject_kind, "")
        return Subject(*evaluation.subject_of(self.definition, records.found[NAMES]))

    def complete(self, entered: Arguments, records: Records) -> Terms | Reason:
        """Return the terms. Guards come first, because their messages explain more than a failing card."""
        try:
            self.check_days(entered)
        except ExpressionFailed as error:
            return _failed("arguments", error)
        names: Names = records.found[NAMES]
        try:
            refusal = self._refusal(records)
            if refusal is not None:
                return refusal
            subject = self.subject(entered, records)
            if not 1 <= len(subject.id) <= MAX_SUBJECT_ID or not subject.id.isprintable():
                return _broken("subject.id")
            arguments, money = self._completed(entered, names)
            cards = self._cards(_with_money(names, money))
        except ExpressionFailed as error:
            return _failed("terms", error)
        at = self._world.moment().isoformat()
        try:
            call = self._fingerprint(_with_money(names, money), at)
        except ExpressionFailed as error:
            return _failed("call", error)
        return Terms(arguments, money, {"card": cards, CALL: call, CALL_AT: at})

    def _fingerprint(self, names: Names, at: str) -> str:
        """Return a hash of the call as it would be at this time, without its key; raises ExpressionFailed."""
        moment = datetime.fromisoformat(at)
        request = self._asked(names.with_names({"now": moment, "today": moment.date()}), _PROBE_KEY)
        return hashlib.sha256(canonical(asdict(request))).hexdigest()

    def _completed(self, entered: Arguments, names: Names) -> tuple[dict[str, Any], Money | None]:
        """Return the complete arguments, with the amount under "money"; raises ExpressionFailed."""
        own = {name: value for name, value in entered.items() if name in self.arguments.all_fields}
        arguments = evaluation.complete_arguments(self.definition, own, names)
        money = evaluation.money_of(self.definition, names)
        if money is None:
            return arguments, None
        amount = format_amount(money.amount, money.currency)
        return {**arguments, MONEY: {"amount": amount, "currency": money.currency}}, money

    def _cards(self, names: Names) -> dict[str, Any]:
        """Return the card in every language of the definition."""
        return {
            locale: {
                "title": card.title, "summary": card.summary, "button": card.button,
                "rows": [[row.label, row.value] for row in card.rows], "done": card.done,
            }
            for locale in self.definition.title
            for card in [rendering.card_of(self.definition, names, locale)]
        }  # fmt: skip

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        names: Names = facts.records.found[NAMES]
        try:
            refusal = self._refusal(facts.records)
            if refusal is not None:
                return refusal
            if self._completed(arguments, names)[0] != dict(arguments):
                return Reason("record_changed")
            if facts.pending:  # guards cannot see it, because the record does not show it yet
                return Reason("subject_busy")
            names = _with_money(names, money_in(arguments))
            evaluation.needs_approval(self.definition, names)  # fails if the condition cannot be evaluated
            self._asked(names, _PROBE_KEY)  # fails if the call cannot contain a value
        except ExpressionFailed as error:
            return _failed("call", error)
        return None

    def is_as_shown(
        self, arguments: Arguments, records: Records, *, subject: Subject, shown: Mapping[str, Any]
    ) -> bool:
        names = _with_money(records.found[NAMES], money_in(arguments))
        try:
            found = self._fingerprint(names, shown.get(CALL_AT, ""))
            return self.subject(arguments, records) == subject and found == shown.get(CALL)
        except (ExpressionFailed, ValueError):
            return False

    def wants_approval(self, arguments: Arguments, records: Records) -> bool:
        try:
            return evaluation.needs_approval(self.definition, _with_money(records.found[NAMES], money_in(arguments)))
        except ExpressionFailed:
            return True

    def undo_arguments(
        self, arguments: Arguments, receipt: Mapping[str, Any], identity: Identity
    ) -> Mapping[str, Any] | None:
        rule = self.definition.undo
        if rule is None or rule.arguments is None:
            return None
        known = names_of_request(self.definition, arguments, "")
        signed = SignedIdentity(identity.sub, identity.email).as_record()
        names = known.with_names({"identity": signed, "receipt": receipt})
        try:
            merged = {name: as_json(value.evaluate(names)) for name, value in rule.arguments.items()}
        except (ExpressionFailed, NoValue) as error:
            raise CannotUndo() from error
        return {name: value for name, value in merged.items() if value is not None}

    def back_end(self, arguments: Arguments, locale: str) -> DefinedBackEnd:
        own = in_locale({language: language for language in self.definition.title}, locale)
        return DefinedBackEnd(self.definition, arguments, self._world.sender(self.definition), own)

    def command(self, arguments: Arguments, records: Records, *, key: str) -> Command | Reason:
        names = _with_money(records.found[NAMES], money_in(arguments)).with_names({"key": key})
        try:
            return Command(self._asked(names, key), names)
        except ExpressionFailed as error:
            return _failed("call", error)

    def _asked(self, names: Names, key: str) -> BackEndCall:
        assert self.definition.call is not None  # guaranteed by the format
        return filled_in(self.definition.call, names.with_names({"key": key}))

    def command_as_json(self, command: Command) -> dict[str, Any]:
        return asdict(command.asked)

    def command_from_json(self, sent: dict[str, Any], *, seconds: float) -> Command:
        return Command(BackEndCall(**sent), seconds=seconds)

    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card:
        """Return the card as proposed, so that it shows what was confirmed."""
        texts = in_locale(shown["card"], locale)
        rows = tuple(Row(label, value) for label, value in texts["rows"])
        title, summary = texts["title"], texts["summary"]
        note = "" if summary == title else summary
        return Card(title, summary, texts["button"], rows, note=note, done=texts.get("done", ""))

    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        return dict(result)

    def receipt_rows(self, receipt: Mapping[str, Any], locale: str) -> list[Row]:
        rows = [(in_locale(row.label, locale), receipt.get(row.name)) for row in self.definition.receipt]
        return [Row(label, value) for label, value in rows if isinstance(value, str)]


class DefinedRead(_Defined, ReadAction):
    """A look-up defined by a document."""

    def __init__(self, definition: Definition, version: int, world: World | None = None) -> None:
        super().__init__(definition, version, world)
        self.has_cards = definition.result is not None and definition.result.card is not None
        self.is_public = definition.for_visitors

    def look_up(self, entered: Arguments, identity: Identity, requests: Requests) -> Sequence[Names] | Reason:
        try:
            self.check_days(entered)
        except ExpressionFailed as error:
            return _failed("arguments", error)
        records = self.gathered(entered, identity, requests)
        if isinstance(records, Reason):
            return records
        names: Names = records.found[NAMES]
        return self._refusal(records) or (names,)

    def answer(self, found: Sequence[Names], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any] | Reason:
        result = self.definition.result
        assert result is not None  # guaranteed by the format
        try:
            shown = rendering.result_of(self.definition, found[0], locale)
        except ExpressionFailed as error:
            return _failed("result", error)
        rows = [{label: text for _, label, text in row} for row in shown.rows]
        cards = [
            {
                "title": card.title,
                "rows": [{"label": label, "value": text} for _, label, text in row],
                **{name: url for name, url in (("link", card.link), ("picture", card.picture)) if url},
            }
            for card, row in zip(shown.cards, shown.rows, strict=False)  # only the first entries have cards
        ]
        return {
            "text": shown.words,
            **({"list": rows} if result.each else {"fields": rows[0] if rows else {}}),
            **({CARDS: cards} if cards else {}),
            **({HAND_OVER: shown.hand_over} if shown.hand_over else {}),
        }

    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        fields = [with_label(locale, label, text) for label, text in answer.get("fields", {}).items()]
        rows = [
            f"- {', '.join(with_label(locale, label, text) for label, text in row.items())}"
            for row in answer.get("list", ())
        ]
        return "\n".join([answer["text"], *fields, *rows]).strip()


def _counted(ask: Ask, requests: Requests) -> Ask:
    """Return a function that counts each different look-up and makes it only once."""

    def counted(call: BackEndCall) -> Answer:
        answer: Answer = requests.answer(repr(call), lambda: ask(call))
        return answer

    return counted


def _day(bound: Expression | None, names: Mapping[str, Any]) -> date | None:
    """Return the day of a bound; raises ExpressionFailed if there is none, such as for a day beyond the calendar."""
    if bound is None:
        return None
    value = bound.evaluate(names)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ExpressionFailed(gettext_noop("this is not a date"), place="")
    return value


def _out_of_bounds(least: date | None, greatest: date | None) -> str:
    if least and greatest:
        return gettext("Enter a date from {minimum} to {maximum}.").format(minimum=least, maximum=greatest)
    if least:
        return gettext("Enter a date on or after {minimum}.").format(minimum=least)
    return gettext("Enter a date on or before {maximum}.").format(maximum=greatest)


def _with_money(names: Names, money: Money | None) -> Names:
    return names if money is None else names.with_names({MONEY: money})


def _failed(path: str, error: ExpressionFailed) -> Reason:
    return Reason(FAILED, {"place": f"{path}: {error.place}"[:MAX_PLACE], "why": error.why[:300]})


def _broken(path: str) -> Reason:
    return Reason(FAILED, {"place": path})


def _limits(definition: Definition) -> Limits:
    columns = {"max_per_subject": "max_per_order"}
    values: dict[str, Any] = {columns.get(name, name): value for name, value in definition.limits.items()}
    return Limits(**values)
