"""Rendering an evaluated definition for the customer: the card, the receipt, and the result of a look-up. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.utils.translation import gettext_noop

from actions.definitions import parsed_parts
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import Answer, Names
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.template import MAX_ROW_VALUE, MAX_WORDS_VALUE, Labels, labelled, readable
from actions.definitions.expressions.values import NoValue
from actions.definitions.parsed_parts import Definition, LabelledValue, Words
from actions.definitions.parsing.field_reader import ARGUMENTS
from actions.spec import Card, Row
from supportbot.translation import in_locale

MAX_CARDS: Final = 10
_LONGEST_NAME: Final = 80  # characters of a record's name within a sentence
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,1900}", re.ASCII)


def card_of(definition: Definition, names: Names, locale: str) -> Card:
    """Return the card's texts; raises ExpressionFailed."""
    card = definition.card
    assert card is not None  # a write has one
    records = _records_by_name(definition, names, locale)

    def text(words: Words, most: int = MAX_WORDS_VALUE) -> str:
        template = in_locale(words, locale)
        return template.with_labels({**template.labels, **records}).words(names, locale, most)

    return Card(
        title=text(card.title),
        summary=text(card.summary, MAX_ROW_VALUE),
        button=text(card.button),
        rows=tuple(Row(label, value) for row in card.rows for label, value in _row(row, definition, names, locale)),
        done=text(definition.done_words, MAX_ROW_VALUE) if definition.done_words else "",
    )


def _records_by_name(definition: Definition, names: Names, locale: str) -> Labels:
    """Return the name of each record that the customer chose, as the label of its value in sentences: "Change to Green
    for twelve months" instead of "Change to GREEN12". A record has a name if its description is short and does not
    contain the value; the value stays unless a row shows both, since a name may not be unique.
    """
    assert definition.card is not None  # a write has one
    found: dict[str, Mapping[str, Mapping[str, str]]] = {}
    for name in filter(None, (_chosen_in(row, names) for row in definition.card.rows)):
        value, described = names.chosen[name].value, _description(definition, name, names, locale)
        if described and len(described) <= _LONGEST_NAME and readable(value, locale) not in described:
            found[f"{ARGUMENTS}.{name}"] = {value: {locale: described}}
    return found


def _row(row: LabelledValue, definition: Definition, names: Names, locale: str) -> list[tuple[str, str]]:
    """Return a row's label and text, or nothing if it has no value. If a row shows only an argument that the customer
    chose from a list, its text is the line that they chose, such as "L-4411: The Hobbit".
    """
    chosen = _chosen_in(row, names)
    described = _description(definition, chosen, names, locale) if chosen else ""
    value = readable(names.chosen[chosen].value, locale) if described else ""
    if described != value:
        return [(in_locale(row.label, locale), readable(f"{value}: {described}", locale, MAX_ROW_VALUE))]
    return [(label, text) for _, label, text in shown([row], names, locale, MAX_ROW_VALUE)]


def _chosen_in(row: LabelledValue, names: Names) -> str:
    """Return the argument that a row consists of, if the customer chose it from a list; "" otherwise."""
    path = row.value.text.strip() if row.value and not row.labels else ""
    return next((name for name in names.chosen if path == f"{ARGUMENTS}.{name}"), "")


def _description(definition: Definition, argument: str, names: Names, locale: str) -> str:
    """Return the text that describes the chosen entry; "" if the list cannot describe it."""
    chosen, choosing = names.chosen[argument], definition.arguments[argument].choose_from
    if chosen.entry is None or choosing is None:
        return ""
    try:
        return in_locale(choosing.words, locale).words(chosen.entry, locale)
    except ExpressionFailed:
        return ""


def receipt_of(definition: Definition, answer: Answer, names: Names, locale: str) -> list[tuple[str, str, str]]:
    """Return (name, label, text) of each kept value of the answer. Values that cannot be evaluated are left out,
    because the action has already been carried out.
    """
    answered = names.with_names(answer.as_names())
    kept: list[tuple[str, str, str]] = []
    for one in definition.receipt:
        try:
            kept += shown([one], answered, locale)
        except ExpressionFailed:
            continue
    return kept


def shown(
    values: Sequence[LabelledValue], names: Mapping[str, Any], locale: str, most: int = MAX_WORDS_VALUE
) -> list[tuple[str, str, str]]:
    """Return (name, label, text) of each existing value, cut to `most` characters; raises ExpressionFailed."""
    found: list[tuple[str, str, str]] = []
    for one in values:
        text = _value_of(one, one.value, names, locale, most) if one.value else _words_of(one, names, locale, most)
        if text:
            found.append((one.name, in_locale(one.label, locale), text))
    return found


def _value_of(one: LabelledValue, rule: Expression, names: Mapping[str, Any], locale: str, most: int) -> str:
    value = rule.evaluate_if_present(names)
    try:
        return readable(labelled(value, one.labels, locale), locale, most)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=rule.text) from error


def _words_of(one: LabelledValue, names: Mapping[str, Any], locale: str, most: int) -> str:
    """Return a row's words, or "" if a value in them is null or absent."""
    words = in_locale(one.words, locale)
    if any(part.evaluate_if_present(names) is None for part in words.expressions()):
        return ""
    return words.words(names, locale, most).strip()  # the value at the end may be empty


@dataclass(frozen=True, slots=True)
class RecordCard:
    """The title of a record's card, and the addresses of its page and picture, "" if it has none."""

    title: str
    link: str
    picture: str


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of a look-up: `rows` has one list of (name, label, text), or one for each element."""

    words: str
    rows: Sequence[Sequence[tuple[str, str, str]]]
    hand_over: str = ""
    cards: Sequence[RecordCard] = ()


def result_of(definition: Definition, names: Names, locale: str) -> LookupResult:
    """Return the rows and cards that a look-up shows the customer; raises ExpressionFailed."""
    result = definition.result
    assert result is not None  # a look-up has one
    if result.each is None:
        each = [names]
    else:
        elements = result.each.evaluate(names)
        if not isinstance(elements, Sequence) or isinstance(elements, str):
            raise ExpressionFailed(gettext_noop("this is not a list"), place=result.each.text)
        each = [names.with_names({result.element: one}) for one in elements[: result.at_most]]
    rows = [shown(result.fields, one, locale) for one in each]
    handoff_text = result.hand_over.words(names, locale) if result.hand_over else ""
    cards = [_card_of_record(result.card, one, locale) for one in each[:MAX_CARDS]] if result.card else []
    return LookupResult(in_locale(result.words, locale).words(names, locale), rows, handoff_text, cards)


def _card_of_record(card: parsed_parts.RecordCard, names: Names, locale: str) -> RecordCard:
    title = in_locale(card.title, locale).words(names, locale)
    return RecordCard(title, _address(card.link, card.hosts, names), _address(card.picture, card.hosts, names))


def _address(rule: Expression | None, hosts: frozenset[str], names: Names) -> str:
    """Return an https address from a record, as a browser will read it; "" if it is absent or on a different host."""
    value = rule.evaluate_if_present(names) if rule else None
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return ""
    try:
        return value if urlsplit(value).netloc in hosts else ""
    except ValueError:  # brackets without an IPv6 address
        return ""
