"""The lists that customers choose an argument from: their entries, and the entry that was chosen.

Pure except for the `ask` function that is passed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import Ask, Chosen, Names, Obstacle, failed
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.values import NoValue, as_text
from actions.definitions.ownership_analysis import needed_for
from actions.definitions.parsed_parts import Argument, Definition, RecordChoice
from actions.definitions.parsing.arguments import parsed
from actions.definitions.record_lookups import with_records
from supportbot.translation import in_locale

MAX_CHOICES: Final = 50


@dataclass(frozen=True, slots=True)
class _Listed:
    """The entries of a list: by the form of their values that the argument accepts, then by their own spelling."""

    names: Names
    element: str  # the name of an entry
    entries: Mapping[str, Mapping[str, Any]]
    is_whole: bool  # whether all entries have a value that the argument accepts

    def chosen(self, argument: Argument, given: str) -> Chosen:
        """Return the entry that is spelled exactly as given, or else the only one that differs merely in surrounding
        spaces or in how its accents are encoded.
        """
        spellings = self.entries.get(_canonical(argument, given), {})
        if given not in spellings and len(spellings) != 1:
            return Chosen(given, is_ambiguous=bool(spellings))
        value = given if given in spellings else next(iter(spellings))
        return Chosen(value, self.names.with_names({self.element: spellings[value]}))


@dataclass(frozen=True, slots=True)
class Choices:
    """The value and description of each record that can be chosen; `is_every` is false if the list also has others."""

    offered: Sequence[tuple[str, str]]
    is_every: bool


def choices_of(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Choices | Obstacle:
    """Return the records that the customer can choose for an argument with `choose_from`. The customer's words cannot
    distinguish entries that differ only in spelling, so only the entry in the argument's canonical form is offered.
    Raises MerchantUnavailable.
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


def as_listed(definition: Definition, names: Names, ask: Ask, locale: str) -> Names:
    """Return the names, with each argument that is chosen from a list in the list's spelling ("60 " for "60"). So rules
    can compare it with the list, and look-ups, the call and the stored request use the value that the system knows.
    Each is looked up once, when it is first read, since a list may depend on choices from other lists.
    """
    return _ChoiceFinder(definition, names, ask, locale).names


class _ChoiceFinder:
    """A finder of what was chosen from each list; the lists read these `names`, too."""

    def __init__(self, definition: Definition, names: Names, ask: Ask, locale: str) -> None:
        self._definition, self._ask, self._locale = definition, ask, locale
        self._given = names["arguments"]
        self._open: set[str] = set()
        arguments = definition.arguments.values()
        chosen = {one.name: one for one in arguments if one.choose_from is not None and one.name in self._given}
        self._chosen = Names({}, {name: partial(self._find, one) for name, one in chosen.items()})
        others = {name: value for name, value in self._given.items() if name not in chosen}
        values = {name: partial(self._value, one) for name, one in chosen.items()}
        self.names = Names({**names, "arguments": Names(others, values)}, chosen=self._chosen)

    def _value(self, argument: Argument) -> str:
        # New versions have no list that depends on its own choice, see require_own_choices.
        value: str = self._given[argument.name] if argument.name in self._open else self._chosen[argument.name].value
        return value

    def _find(self, argument: Argument) -> Chosen:
        given: str = self._given[argument.name]
        self._open.add(argument.name)
        try:
            found = _with_list(self._definition, argument, self.names, self._ask, self._locale)
            if isinstance(found, Obstacle):  # the same look-up refuses the request later
                return Chosen(given)
            return _listed(argument, found).chosen(argument, given)
        except ExpressionFailed as error:
            return Chosen(given, failure=error)
        finally:
            self._open.discard(argument.name)


def _with_list(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with the records that an argument's list reads."""
    return with_records(needed_for(_choosing(argument), definition.lookups), names, ask, locale)


def _choosing(argument: Argument) -> RecordChoice:
    assert argument.choose_from is not None  # only called for such arguments
    return argument.choose_from


def _listed(argument: Argument, names: Names) -> _Listed:
    """Return the entries of an argument's list.

    An entry whose value cannot be evaluated, or does not fit the argument, cannot be chosen and is left out. Raises
    ExpressionFailed for anything but a list, and if no entry has a value, since the definition must be wrong in that
    case.
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
    return ExpressionFailed(error.why, place=rule.text)


def _list(choosing: RecordChoice, names: Names) -> Sequence[Any]:
    found = choosing.list.evaluate(names)
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ExpressionFailed(gettext_noop("this is not a list"), place=choosing.list.text)
    return found


def _canonical(argument: Argument, listed: Any) -> Any:
    """Return the canonical form of a value that may be spelled as in its list."""
    return argument.accepts.parse(listed, argument.name, {})


def ambiguous(names: Names) -> Obstacle | None:
    """Return an obstacle for the first value that matches several entries of its list, but none exactly."""
    unclear = next((name for name, one in names.chosen.items() if one.is_ambiguous), None)
    return Obstacle("choice_not_offered", "", f"arguments.{unclear}.choose_from") if unclear is not None else None


def not_offered(definition: Definition, names: Names) -> Obstacle | None:
    """Return an obstacle for the first value that is missing from the public list of its argument. Only the list proves
    that anyone may name the record. Values that name no record need no proof.
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
