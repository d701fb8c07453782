"""The lists from which customers choose an argument: their entries, and the entry that was chosen.

Pure except for the `ask` function that is passed in.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from actions.definitions.arguments import parsed
from actions.definitions.errors import ExpressionFailed
from actions.definitions.expression import Expression
from actions.definitions.names import Ask, Chosen, Names, Obstacle, failed
from actions.definitions.parts import Argument, Choosing, Definition
from actions.definitions.record_lookups import with_records
from actions.definitions.requirements import needed_for
from actions.definitions.values import NoValue, as_text
from supportbot.translation import in_locale

MAX_CHOICES: Final = 50


@dataclass(frozen=True, slots=True)
class _Listed:
    """The entries of a list: by the form in which the argument accepts their values, then by their own spelling."""

    names: Names
    element: str  # the name of an entry
    entries: Mapping[str, Mapping[str, Any]]
    is_whole: bool  # whether all entries have a value that the argument accepts

    def chosen(self, argument: Argument, given: str) -> Chosen:
        """Return the entry that is spelled exactly as given, else the only one that differs from it in nothing but its
        spelling: spaces around it, or the form of its accents.
        """
        spellings = self.entries.get(_canonical(argument, given), {})
        if given not in spellings and len(spellings) != 1:
            return Chosen(given, is_ambiguous=bool(spellings))
        value = given if given in spellings else next(iter(spellings))
        return Chosen(value, self.names.with_names({self.element: spellings[value]}))


@dataclass(frozen=True, slots=True)
class Choices:
    """The value and the description of each record that can be chosen; `is_every` is false if the list has others."""

    offered: Sequence[tuple[str, str]]
    is_every: bool


def choices_of(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Choices | Obstacle:
    """Return the records that the customer can choose for an argument with `choose_from`. Entries that differ only in
    spelling cannot be told apart by what the customer says, so only one that is spelled as the argument accepts it is
    offered. Raises MerchantUnavailable.
    """
    choosing = _choosing(argument)
    found = _with_list(definition, argument, as_listed(definition, names, ask, locale), ask, locale)
    if isinstance(found, Obstacle):
        return found
    words = in_locale(choosing.words, locale)
    try:
        listed = _listed(argument, found)
        entries = {value: listed.chosen(argument, value).entry for value in listed.entries}
        clear = [(value, entry) for value, entry in entries.items() if entry is not None]
        offered = [(value, words.words(entry, locale)) for value, entry in clear[:MAX_CHOICES]]
    except ExpressionFailed as error:
        return failed("choose_from", error)
    return Choices(offered, listed.is_whole and len(offered) == len(entries))


def as_listed(definition: Definition, names: Names, ask: Ask, locale: str, unread: Set[str] = frozenset()) -> Names:
    """Return the names with each argument that is chosen from a list as the list spells it ("60 " for "60"): rules can
    compare it with the list, and look-ups, the call and the stored request all have what the system knows. Each is
    found when it is first read; those in `unread` stay as they are.
    """
    given = names["arguments"]
    every = [one for one in definition.arguments.values() if one.choose_from is not None and one.name in given]
    finding = {
        one.name: partial(_chosen, definition, one, names, ask, locale, unread | {one.name})
        for one in every
        if one.name not in unread
    }
    chosen = Names({}, finding)
    values = {name: partial(_value_of, chosen, name) for name in finding}
    others = {name: value for name, value in given.items() if name not in finding}
    return Names({**names, "arguments": Names(others, values)}, chosen=chosen)


def _value_of(chosen: Mapping[str, Chosen], name: str) -> str:
    return chosen[name].value


def _chosen(
    definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str, unread: Set[str]
) -> Chosen:
    given: str = names["arguments"][argument.name]
    found = _with_list(definition, argument, as_listed(definition, names, ask, locale, unread), ask, locale)
    if isinstance(found, Obstacle):  # the same look-up refuses the request when its turn comes
        return Chosen(given)
    try:
        return _listed(argument, found).chosen(argument, given)
    except ExpressionFailed as error:
        return Chosen(given, failure=error)


def _with_list(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with the records that an argument's list reads."""
    return with_records(needed_for(_choosing(argument), definition.lookups), names, ask, locale)


def _choosing(argument: Argument) -> Choosing:
    assert argument.choose_from is not None  # only called for such arguments
    return argument.choose_from


def _listed(argument: Argument, names: Names) -> _Listed:
    """Return the entries of an argument's list.

    An entry whose value cannot be evaluated, or does not fit the argument, cannot be chosen and is left out. Raises
    ExpressionFailed for anything but a list, and if no entry has a value: then the definition is wrong.
    """
    choosing = _choosing(argument)
    entries: dict[str, dict[str, Any]] = {}
    problem: ExpressionFailed | None = None
    for one in _list(choosing, names):
        try:
            spelled = as_text(choosing.value.evaluate(names.with_names({choosing.element: one})))
            value = parsed(argument, spelled, choosing.value)
        except (ExpressionFailed, NoValue) as error:
            problem = _at(choosing.value, error) if isinstance(error, NoValue) else error
            continue
        entries.setdefault(value, {}).setdefault(spelled, one)
    if problem is not None and not entries:
        raise problem
    return _Listed(names, choosing.element, entries, problem is None)


def _at(rule: Expression, error: NoValue) -> ExpressionFailed:
    return ExpressionFailed(str(error), place=rule.text)


def _list(choosing: Choosing, names: Names) -> Sequence[Any]:
    found = choosing.list.evaluate(names)
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ExpressionFailed("this is not a list", place=choosing.list.text)
    return found


def _canonical(argument: Argument, listed: Any) -> Any:
    """Return the canonical form of a value that may be spelled as in the list that it is chosen from."""
    return argument.accepts.parse(listed, argument.name, {})


def ambiguous(names: Names) -> Obstacle | None:
    unclear = next((name for name, one in names.chosen.items() if one.is_ambiguous), None)
    return Obstacle("choice_not_offered", "", f"arguments.{unclear}.choose_from") if unclear is not None else None


def not_offered(definition: Definition, names: Names) -> Obstacle | None:
    """Return an obstacle for the first value that is not in the public list that its argument is chosen from: nothing
    else proves that such a value names a record that anybody may name. Values that name no record need no such proof.
    """
    public = {lookup.name for lookup in definition.lookups if lookup.is_public}
    for name, chosen in names.chosen.items():
        argument = definition.arguments[name]
        if argument.names_no_record or not _choosing(argument).list.sources() & public:
            continue
        where = f"arguments.{name}.choose_from"
        if chosen.failure is not None:
            return failed(where, chosen.failure)
        if chosen.entry is None:
            return Obstacle("choice_not_offered", "", where)
    return None
