"""Making a definition's look-ups in order, and checking that each record is the customer's. Pure except for `ask`."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_noop

from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import OK, Ask, Names, Obstacle, failed, filled_in, where_and_why
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.values import NoValue, as_text
from actions.definitions.parsed_parts import Lookup, Refusal
from actions.errors import MerchantUnavailable
from supportbot.translation import in_locale


def with_records(lookups: Sequence[Lookup], names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with the records of these look-ups, made in order; each may read the records before it."""
    for lookup in lookups:
        try:
            found = _records(lookup, names, ask, locale)
        except ExpressionFailed as error:
            return failed(f"lookups.{lookup.name}", error)
        if isinstance(found, Obstacle):
            return found
        names = names.with_names({lookup.name: found})
    return names


def _records(lookup: Lookup, names: Names, ask: Ask, locale: str) -> Any:
    if lookup.for_each is None:
        return _record(lookup, names, ask, locale)
    elements = lookup.for_each.evaluate(names)
    if not isinstance(elements, Sequence) or isinstance(elements, str) or len(elements) > lookup.at_most:
        raise ExpressionFailed(
            gettext_noop("this must be a list of at most {most} items"), place=lookup.for_each.text, most=lookup.at_most
        )
    records: list[Any] = []
    for element in elements:
        record = _record(lookup, names.with_names({lookup.element: element}), ask, locale)
        if isinstance(record, Obstacle):
            return record
        records.append(record)
    return records


def _record(lookup: Lookup, names: Names, ask: Ask, locale: str) -> Any:
    answer = ask(filled_in(lookup.call, names))
    if answer.status in lookup.absent:
        return refused(lookup.otherwise, f"{lookup.name}_not_found", names, f"lookups.{lookup.name}", locale)
    if answer.status not in OK:
        raise MerchantUnavailable
    if lookup.owner is not None:
        owner = lookup.owner.evaluate(names.with_names({lookup.name: answer.body}))
        # Another customer's record is treated as if it did not exist.
        if not _is_same(owner, names["identity"]["sub"], lookup.owner):
            return refused(lookup.otherwise, f"{lookup.name}_not_found", names, f"lookups.{lookup.name}.owner", locale)
    return answer.body


def _is_same(owner: Any, sub: str, rule: Expression) -> bool:
    try:
        return owner is not None and as_text(owner) == sub
    except NoValue as error:
        raise ExpressionFailed(error.why, place=rule.text) from error


def refused(refusal: Refusal | None, code: str, names: Names, where: str, locale: str) -> Obstacle:
    """Return the obstacle of a guard or look-up that refuses a request, in the words of the definition. Without a
    `refusal` of its own, or if its words cannot be evaluated, the obstacle has no words.
    """
    if refusal is None:
        return Obstacle(code, "", where)
    try:
        return Obstacle(refusal.code, in_locale(refusal.words, locale).words(names, locale), where)
    except ExpressionFailed as error:
        return Obstacle(refusal.code, "", where_and_why(f"{where}.words", error))
