"""One JSON document defines one action; this module reads it. The reference is docs/definitions.md; the schema is
schema.json.

`parse_document` accepts only complete documents, `check_draft` also those that lack parts, and `missing` lists the
missing parts.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext

from actions.definitions import parsed_parts
from actions.definitions.errors import InvalidDefinition
from actions.definitions.expressions.expression import Expression, Path
from actions.definitions.expressions.type_checks import samples_of
from actions.definitions.ownership_analysis import (
    PER_CUSTOMER_DAY,
    compares_owner,
    require_bound,
    require_own_choices,
    require_owner,
    require_unnamed,
    unbound,
)
from actions.definitions.parsed_parts import Definition, Kind, Origin, OutcomeKind
from actions.definitions.parsing.arguments import NAME, declared_names, read_arguments
from actions.definitions.parsing.calls import NO_CALL, carries_key, read_call
from actions.definitions.parsing.cards import MAX_ROWS, CardReader
from actions.definitions.parsing.field_reader import CIRCULAR, LOCALE, Findings, ObjectReader, Scope, circular
from actions.definitions.visitor_access import excess_for_visitors, obstacle_for_visitors
from actions.spec import Risk

FORMAT: Final = 1
MAX_CHARACTERS: Final = 256 * 1024
MAX_LOOKUPS: Final = 10
MAX_GUARDS: Final = 50
MAX_VALUES: Final = 30
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
READING: Final = ("GET", "POST")  # some shops search by POST
DEFINITION_NAME: Final = r"[a-z][a-z0-9_]{0,59}"
_CODE: Final = r"[a-z][a-z0-9_]{0,59}"
_CONNECTION: Final = r"[a-z0-9][a-z0-9_-]{0,39}"
RESERVED: Final = frozenset({"arguments", "identity", "now", "today", "status", "body", "headers", "money", "key"})
_AMOUNTS: Final = (
    "max_per_subject", "max_per_customer_day", "max_per_customer_year", "max_per_workspace_day", "approval_above",
    "second_approval_above",
)  # fmt: skip
ONLY_OF_WRITES: Final = (
    "subject", "money", "call", "answer", "outcome", "card", "receipt", "done", "done_words", "approval", "undo",
    "limits",
)  # fmt: skip
MAX_UNDO_HOURS: Final = 24 * 90  # the lifetime of a receipt's page
DEFAULT_UNDO_HOURS: Final = 24
# Limits that are numbers, with their minimum and maximum.
_COUNTS: Final = {PER_CUSTOMER_DAY: (1, 1_000), "hold_minutes": (0, 10_080)}


def parse_document(document: Any, *, is_published: bool = False, as_made: bool = False) -> Definition:
    """Return a definition; raises InvalidDefinition with each mistake and each missing part by JSON path.

    With `is_published`, type checks and the checks that apply only to new versions are skipped. With `as_made`, no
    proofs are required, so that the version's requests can still be shown and their outcomes looked up.
    """
    definition, findings = _read(document)
    wrong = {**({} if is_published or as_made else findings.mistyped), **findings.wrong}
    excused = set(findings.why) if as_made else findings.only_new if is_published else set()
    for path in findings.missing:
        if path not in excused:
            wrong.setdefault(path, []).append(findings.why.get(path, gettext("This is required.")))
    if wrong or definition is None:
        raise InvalidDefinition(fields=wrong)
    return definition


def drafted(document: Any) -> Definition | None:
    """Return as much of a draft as can be read, despite missing or wrong parts; None if nothing can be read."""
    return _read(document)[0]


def check_draft(document: Any) -> None:
    """Raise InvalidDefinition for mistakes in a draft; missing parts are allowed."""
    _, findings = _read(document)
    if wrong := {**findings.mistyped, **findings.wrong}:
        raise InvalidDefinition(fields=wrong)


def missing(document: Any) -> list[str]:
    """Return the JSON paths of the parts still missing before publication, in the order of the reference."""
    return _read(document)[1].missing


def reasons(document: Any) -> dict[str, str]:
    """Return, by path and in the page's language, why a part is missing, for parts whose path does not explain it."""
    return dict(_read(document)[1].why)


def expanded(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with its short forms written out: `"undo": "name"` becomes an object with this action."""
    undo = document.get("undo")
    return {**document, "undo": {"action": undo}} if isinstance(undo, str) and undo else dict(document)


def _read(document: Any) -> tuple[Definition | None, Findings]:
    findings = Findings()
    if not isinstance(document, Mapping):
        findings.add("", gettext("A definition is one JSON object."))
        return None, findings
    try:
        size = len(json.dumps(document))
    except (TypeError, ValueError, RecursionError):
        findings.add("", gettext("The document has a value that is not valid JSON."))
        return None, findings
    if size > MAX_CHARACTERS:
        findings.add("", gettext("A definition can be at most {most} KiB.").format(most=MAX_CHARACTERS // 1024))
        return None, findings
    document = expanded(document)
    return _Document(ObjectReader(document, "", findings), document).read(), findings


class _Document:
    """The document while its parts are read in order; each part can use the names defined before it."""

    def __init__(self, top: ObjectReader, document: Mapping[str, Any]) -> None:
        self._top = top
        self._document = document
        self._locales: Sequence[str] = ()
        self._cards = CardReader(self._top, document, ())

    def read(self) -> Definition | None:
        top = self._top
        if top.raw("format") != FORMAT or isinstance(top.raw("format"), bool):
            top.add("format", gettext("Write 1, the only format that this version reads."))
            return None
        kind = Kind(top.one_of("kind", [one.value for one in Kind], needed=True, default="write"))
        name = top.text("name", pattern=DEFINITION_NAME, needed=True, example="exchange_item")
        title = top.texts("title", most=80)
        self._locales = tuple(title)
        self._cards = CardReader(top, self._document, self._locales)
        description = top.texts("description", most=500, locales=self._locales)
        examples = self._examples()
        connection = top.text("connection", pattern=_CONNECTION, needed=True, example="shop")
        declared, asked = declared_names(top.raw("arguments"))
        base = Scope(frozenset({"arguments", "identity", "now", "today"}), asked)
        names = self._lookup_names()
        arguments = read_arguments(top, Scope(base.names | set(names), asked), self._locales)
        samples = samples_of({one.name: one.accepts for one in arguments.values()})
        base = replace(base, labels=self._cards.labels(arguments, names), samples=samples)
        lookups = tuple(self._lookups(base, arguments))
        every = replace(base, names=base.names | {lookup.name for lookup in lookups}, arguments=declared)
        values = self._values(every)
        every = every.with_names(*values)
        guards = tuple(self._guards(every))
        require_own_choices(top, arguments, lookups)
        common: dict[str, Any] = {
            "name": name, "kind": kind, "title": title, "description": description, "examples": examples,
            "connection": connection, "arguments": arguments, "lookups": lookups, "values": values, "guards": guards,
            "document": self._document,
        }  # fmt: skip
        definition = self._write(every, common) if kind is Kind.WRITE else self._look_up(every, common)
        top.close()
        return definition

    def _write(self, every: Scope, common: dict[str, Any]) -> Definition:
        top = self._top
        risk = Risk(top.one_of("risk", [Risk.CHANGE.value, Risk.MONEY.value], needed=True, default=Risk.CHANGE.value))
        subject = self._subject(every)
        money = self._money(every, is_needed=risk is Risk.MONEY)
        decided = every.with_names("money") if top.has("money") else every
        asked = decided.with_names("key")
        call = self._call(asked)
        answered = asked.with_names("status", "body", "headers")
        answer = self._answer(answered)
        receipt = tuple(self._cards.rows(top, "receipt", answered, MAX_ROWS, named=True))
        done = top.texts("done", most=80, locales=self._locales, needed=top.has("done"))
        done_words = top.words("done_words", decided, locales=self._locales, needed=top.has("done_words"))
        outcome = self._outcome(asked, answered, call)
        limits = self._limits()
        require_owner(top, common["lookups"], subject, common["values"])
        if call is not None:
            named = (common[name] for name in ("arguments", "lookups", "values", "guards"))
            found = unbound(call, *named)
            require_bound(top, found, self._document)
            if call.names_no_customer:
                require_unnamed(top, found, limits, moves_money=risk is Risk.MONEY or money is not None)
        if top.raw("result") is not None:
            top.add("result", gettext('A result is allowed only in a definition with "kind": "read".'))
        if top.raw("visitors") is not None:
            top.add(
                "visitors",
                gettext('This is allowed only in a definition with "kind": "read". Visitors cannot change anything.'),
            )
        return Definition(
            **common, risk=risk, subject=subject, money=money, call=call, answer=answer, outcome=outcome,
            card=self._cards.card(decided), receipt=receipt, done=done, done_words=done_words, limits=limits,
            approval=self._approval(decided), undo=self._undo(every.arguments, [row.name for row in receipt]),
        )  # fmt: skip

    def _call(self, scope: Scope) -> parsed_parts.CallTemplate | None:
        spec = self._top.object("call", needed=True)
        is_unnamed = spec is not None and spec.flag("names_no_customer")
        call = read_call(spec, scope, _METHODS)
        return replace(call, names_no_customer=is_unnamed) if call else None

    def _look_up(self, every: Scope, common: dict[str, Any]) -> Definition:
        top = self._top
        top.one_of("risk", [Risk.READ.value])
        for name in ONLY_OF_WRITES:
            if top.raw(name) is not None:
                top.add(name, gettext('This is allowed only in a definition with "kind": "write".'))
        found = Definition(**common, risk=Risk.READ, limits={}, result=self._cards.result(every))
        if not top.flag("visitors"):
            return found
        if obstacle := obstacle_for_visitors(found):
            top.lacks("visitors", obstacle)
        elif excess := excess_for_visitors(found):  # only for new versions: a published one may return fewer elements
            top.lacks("visitors", excess, only_new=True)
        # A part that cannot be read is not in the definition, so nobody knows whether it reads the customer.
        return replace(found, for_visitors=not obstacle and not top.findings.wrong)

    def _examples(self) -> dict[str, tuple[str, ...]]:
        value = self._top.raw("examples")
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._top.add(
                "examples", gettext('List the sentences by language, for example {"en": ["I want to send it back"]}.')
            )
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for locale, sentences in value.items():
            if not LOCALE.fullmatch(str(locale)):
                self._top.add(f"examples.{str(locale)[:20]}", gettext("Use a language code, such as en, de or pt-BR."))
            elif not isinstance(sentences, list) or not all(
                isinstance(text, str) and 0 < len(text) <= 200 and text.isprintable() for text in sentences
            ):
                self._top.add(
                    f"examples.{str(locale)[:20]}", gettext("Write a list of sentences, at most 200 characters each.")
                )
            elif len(sentences) > 50:
                self._top.add(f"examples.{str(locale)[:20]}", gettext("At most 50 sentences in one language."))
            else:
                found[str(locale)] = tuple(sentences)
        return found

    def _lookup_names(self) -> list[str]:
        given = self._document.get("lookups")
        entries = given if isinstance(given, list) else []
        return [str(entry.get("name")) for entry in entries if isinstance(entry, Mapping)]

    def _lookups(self, base: Scope, arguments: Mapping[str, parsed_parts.Argument]) -> Iterator[parsed_parts.Lookup]:
        scope = base
        own: set[Path] = {("identity",)}
        own |= {("arguments", one.name) for one in arguments.values() if one.origin is Origin.IDENTITY}
        for spec in self._top.objects("lookups", MAX_LOOKUPS):
            lookup = self._lookup(spec, scope)
            if lookup.name in scope.names:
                spec.add("name", gettext("Two look-ups have this name."))
            if lookup.owner is not None and not compares_owner(lookup, lookup.owner, own):
                text = gettext(
                    "This is true of every record. Compare the record's owner, such as {field}, or send {identity} in "
                    "the call."
                )
                spec.add("owner", text.format(field=f"{lookup.name}.customer", identity="{identity.sub}"))
            scope = scope.with_names(lookup.name)
            own |= set() if lookup.is_public else {(lookup.name,)}
            yield lookup

    def _lookup(self, spec: ObjectReader, before: Scope) -> parsed_parts.Lookup:
        name = spec.text("name", pattern=NAME, needed=True, example="order")
        if name in RESERVED:
            spec.add("name", gettext("Choose another name: {name} already has a meaning.").format(name=name))
        for_each = spec.expression("for_each", before)
        element = spec.text("as", pattern=NAME, needed=for_each is not None, example="item")
        if not spec.has("for_each"):
            for only in ("as", "at_most"):
                if spec.has(only):
                    spec.add(only, gettext("This is allowed only in a look-up with for_each."))
        inside = before.with_names(element) if for_each and element else before
        found = inside.with_names(name)
        owner = spec.expression("owner", found)
        is_public = spec.flag("public")
        if owner and is_public:
            spec.add("public", gettext('A record with an owner is not public. Leave out "owner" or "public".'))
        if not owner and not is_public and not spec.has("owner"):
            spec.lacks("owner")
        absent = self._statuses(spec)
        otherwise = self._refusal_of(spec.object("otherwise", needed=owner is not None), inside)
        lookup = parsed_parts.Lookup(
            name=name, call=read_call(spec.object("call", needed=True), inside, READING) or NO_CALL, owner=owner,
            is_public=is_public, absent=absent, otherwise=otherwise, for_each=for_each, element=element,
            at_most=spec.whole("at_most", 1, 100, 20),
        )  # fmt: skip
        spec.close()
        return lookup

    def _statuses(self, spec: ObjectReader) -> frozenset[int]:
        value = spec.raw("absent")
        if value is None:
            return frozenset({404})
        if not isinstance(value, list) or not all(type(status) is int and 400 <= status <= 499 for status in value):
            spec.add("absent", gettext("Write a list of statuses from 400 to 499, such as [404, 410]."))
            return frozenset({404})
        return frozenset(value)

    def _refusal_of(self, spec: ObjectReader | None, scope: Scope) -> parsed_parts.Refusal | None:
        if spec is None:
            return None
        code = spec.text("code", pattern=_CODE, needed=True, example="order_not_found")
        words = spec.words("words", scope, locales=self._locales)
        spec.close()
        return parsed_parts.Refusal(code, words)

    def _subject(self, scope: Scope) -> parsed_parts.Subject | None:
        spec = self._top.object("subject", needed=True)
        if spec is None:
            return None
        kind = spec.text("kind", pattern=NAME, needed=True, example="order")
        identifier = spec.expression("id", scope, needed=True)
        spec.close()
        return parsed_parts.Subject(kind, identifier) if identifier else None

    def _values(self, scope: Scope) -> dict[str, Expression]:
        """Return the named values. Each may refer to any other, since the database does not keep the order of keys."""
        given = self._top.raw("values")
        if given is not None and (not isinstance(given, Mapping) or len(given) > MAX_VALUES):
            text = gettext("Write an object with at most {most} names, each with an expression.")
            self._top.add("values", text.format(most=MAX_VALUES))
            return {}
        spec = ObjectReader(given or {}, "values", self._top.findings)
        values: dict[str, Expression] = {}
        names = [str(name) for name in given or {}]
        for name in given or {}:
            if not re.fullmatch(NAME, str(name), re.ASCII) or name in RESERVED or name in scope.names:
                spec.add(str(name)[:60], gettext("Choose a name in lowercase letters that is not used elsewhere."))
                continue
            value = spec.expression(name, scope.with_names(*names), needed=True)
            if value:
                values[name] = value
        for name in circular({name: {path[0] for path in value.paths()} for name, value in values.items()}):
            spec.add(name, gettext(CIRCULAR))
        return values

    def _guards(self, scope: Scope) -> Iterator[parsed_parts.Guard]:
        seen: set[str] = set()
        for spec in self._top.objects("guards", MAX_GUARDS):
            name = spec.text("name", pattern=NAME, needed=True, example="is_pending")
            if name in seen:
                spec.add("name", gettext("Two guards have this name."))
            seen.add(name)
            require = spec.condition("require", scope, needed=True)
            code = spec.text("code", pattern=_CODE, needed=True, example="not_pending")
            words = spec.words("words", scope, locales=self._locales)
            spec.close()
            if require:
                yield parsed_parts.Guard(name, require, parsed_parts.Refusal(code, words))

    def _money(self, scope: Scope, *, is_needed: bool) -> parsed_parts.MoneyRule | None:
        spec = self._top.object("money", needed=is_needed)
        if spec is None:
            return None
        amount = spec.expression("amount", scope, needed=True)
        currency = spec.expression("currency", scope, needed=True)
        spec.close()
        return parsed_parts.MoneyRule(amount, currency) if amount and currency else None

    def _answer(self, scope: Scope) -> parsed_parts.AnswerRule | None:
        spec = self._top.object("answer", needed=True)
        if spec is None:
            return None
        happened = spec.condition("happened", scope, needed=True)
        did_not = spec.condition("did_not", scope, needed=True)
        reason = spec.expression("reason", scope)
        spec.close()
        return parsed_parts.AnswerRule(happened, did_not, reason) if happened and did_not else None

    def _outcome(
        self, asked: Scope, answered: Scope, call: parsed_parts.CallTemplate | None
    ) -> parsed_parts.Outcome | None:
        spec = self._top.object("outcome", needed=True)
        if spec is None:
            return None
        kind = OutcomeKind(
            spec.one_of("kind", [one.value for one in OutcomeKind], needed=True, default=OutcomeKind.AT_MOST_ONCE.value)
        )
        if kind is not OutcomeKind.AT_MOST_ONCE and call and not carries_key(call):
            text = gettext(
                'The system must recognise a repeated call by its key. Write "key": {"header": "Idempotency-Key"}, or '
                "{key} in path, query, headers or body."
            )
            self._top.findings.add("call.key", text)
        outcome = parsed_parts.Outcome(kind)
        # Without a kind, it is unknown whether these belong here.
        for name in ("call", "happened", "did_not", "never_seen", "in_progress") if not spec.has("kind") else ():
            spec.raw(name)
        if kind is OutcomeKind.STATUS_LOOKUP:
            outcome = parsed_parts.Outcome(
                kind,
                read_call(spec.object("call", needed=True), asked, READING),
                spec.condition("happened", answered, needed=True),
                spec.condition("did_not", answered, needed=True),
                spec.condition("never_seen", answered, needed=True),
                spec.condition("in_progress", answered),
            )
        spec.close()
        return outcome

    def _limits(self) -> dict[str, Decimal | int]:
        spec = self._top.object("limits")
        if spec is None:
            return {}
        amounts = {name: spec.decimal(name) for name in _AMOUNTS}
        limits: dict[str, Decimal | int] = {name: amount for name, amount in amounts.items() if amount is not None}
        for name, amount in limits.items():
            if amount < 0:
                spec.add(name, gettext("A limit must be at least 0."))
        for name, (least, most) in _COUNTS.items():
            if spec.has(name):
                limits[name] = spec.whole(name, least, most, least)
            spec.raw(name)
        spec.close()
        return limits

    def _approval(self, scope: Scope) -> parsed_parts.Approval | None:
        spec = self._top.object("approval")
        if spec is None:
            return None
        when: Expression | None = spec.condition("when", scope)
        role = spec.text("role", pattern=_CONNECTION, example="lead")
        approvers = spec.whole("approvers", 1, 2, 1)
        spec.close()
        return parsed_parts.Approval(when, role, approvers)

    def _undo(self, arguments: frozenset[str], receipt: Sequence[str]) -> parsed_parts.Undo | None:
        spec = self._top.object("undo")
        if spec is None:
            return None
        action = spec.text("action", pattern=DEFINITION_NAME, needed=True, example="cancel_exchange")
        within = spec.whole("within_hours", 1, MAX_UNDO_HOURS, DEFAULT_UNDO_HOURS)
        given = spec.object("arguments")
        if given is None:
            spec.close()
            return parsed_parts.Undo(action, None, within) if action else None
        scope = Scope(frozenset({"arguments", "identity", "receipt"}), arguments)
        expressions = {str(name): given.expression(str(name), scope, needed=True) for name in spec.raw("arguments")}
        for name, value in expressions.items():
            unknown = {path[1] for path in value.paths() if path[0] == "receipt" and path[1:]} if value else set()
            if unknown - set(receipt):
                lacks = ", ".join(sorted(unknown - set(receipt)))
                given.add(name, gettext("The receipt has no {names}.").format(names=lacks))
        spec.close()
        given_values = {name: value for name, value in expressions.items() if value}
        return parsed_parts.Undo(action, given_values, within) if action else None
