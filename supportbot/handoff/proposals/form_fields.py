"""The form for an action that an agent proposes: it has a field for each argument, and turns what is typed back into
arguments.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext

from actions import argument_types
from actions.models import MAX_ORDER_ID
from actions.record_choices import FormChoices
from actions.spec import Action, Choice
from actions.team_reasons import team_sentence
from supportbot.team_formats import active_language

MAX_DIGITS: Final = 16  # the same as in argument_types.Count
_TRUE: Final = "true"
_FALSE: Final = "false"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form. `name` is the argument's path, such as `address.city`."""

    name: str
    label: str
    value: str
    is_required: bool
    is_amount: bool
    max_length: int
    problems: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()  # for a choice: values and labels
    input_type: str = "text"
    records: Sequence[Choice] = ()  # the customer's records to choose from; a different value may be typed
    hint: str = ""  # why there are no records to choose from
    waits: bool = False  # whether its records can be found only after other fields have been filled in

    @property
    def other(self) -> str:
        """Return the value if it is not one of the records, otherwise ""."""
        return "" if any(one.value == self.value for one in self.records) else self.value


def fits_a_form(action: Action) -> bool:
    """Return whether the form has a field for every required argument. Lists can only be entered in the chat."""
    return not any(isinstance(field, argument_types.Listing) for field in action.arguments.required.values())


def form_fields(
    action: Action,
    typed: Mapping[str, str],
    problems: Mapping[str, list[str]],
    records: Mapping[str, FormChoices] | None = None,
) -> list[FormField]:
    """Return the form's fields in the action's order.

    `records` are the customer's records to choose from, by argument.
    """
    found = records or {}
    return [
        FormField(
            name=name,
            label=_label(action, name, field),
            value=typed.get(name, ""),
            is_required=is_required,
            is_amount=isinstance(field, argument_types.Amount),
            max_length=getattr(field, "max_length", MAX_ORDER_ID),
            problems=tuple(problems.get(name, ())),
            options=_options(action, name, field),
            input_type="date" if isinstance(field, argument_types.Date) else "text",
            records=found[name].offered if name in found else (),
            hint=_hint(found[name]) if name in found else "",
            waits=name in found and found[name].needs_others,
        )
        for name, field, is_required in _leaf_fields(action.arguments)
    ]


def _label(action: Action, name: str, field: Any) -> str:
    usual = gettext("Order") if isinstance(field, argument_types.OrderId) else _described(name, field)
    return action.argument_label(name, active_language()) or usual


def _hint(choices: FormChoices) -> str:
    """Return why an argument cannot be chosen from the customer's records, or "" if it can."""
    if choices.offered:
        return ""
    if choices.needs_others:
        return gettext("Fill in the other fields first: the list depends on them.")
    return team_sentence(choices.reason) if choices.reason else gettext("There is nothing to choose from.")


def _described(name: str, field: Any) -> str:
    return gettext(str(getattr(field, "description", name))).rstrip(".")


def _options(action: Action, name: str, field: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(field, argument_types.Choice):
        return tuple((option, action.option_label(name, option, active_language())) for option in field.options)
    return ((_TRUE, gettext("Yes")), (_FALSE, gettext("No"))) if isinstance(field, argument_types.Flag) else ()


def _value(field: Any, text: str) -> Any:
    """Return typed text as a JSON value for the field. An invalid value stays text, and the field refuses it: int()
    itself fails above 4,300 digits.
    """
    if isinstance(field, argument_types.Count) and len(text) <= MAX_DIGITS and text.removeprefix("-").isdecimal():
        return int(text)
    return text == _TRUE if isinstance(field, argument_types.Flag) and text in (_TRUE, _FALSE) else text


def _leaf_fields(
    shape: argument_types.Shape, at: str = "", *, is_parent_required: bool = True
) -> Iterator[tuple[str, Any, bool]]:
    """Yield every scalar field with its path. List arguments are left out; they can only be entered in the chat."""
    for fields, is_required in ((shape.required, is_parent_required), (shape.optional, False)):
        for name, field in fields.items():
            path = f"{at}{name}"
            if isinstance(field, argument_types.Shape):
                yield from _leaf_fields(field, f"{path}.", is_parent_required=is_required)
            elif not isinstance(field, argument_types.Listing):
                yield path, field, is_required


def typed_in(sent: QueryDict) -> dict[str, str]:
    """Return a form's values.

    If the agent typed a value instead of choosing a record, the form sends it last, and it takes precedence.
    """
    return {name: next(filter(None, reversed(sent.getlist(name))), "") for name in sent}


def arguments_json(action: Action, typed: Mapping[str, str]) -> str:
    """Return the arguments as JSON, leaving out optional ones that are empty."""
    arguments: dict[str, Any] = {}
    for path, field, is_required in _leaf_fields(action.arguments):
        value = typed.get(path, "").strip()
        if not value and not is_required:
            continue
        *parents, name = path.split(".")
        place = arguments
        for parent in parents:
            place = place.setdefault(parent, {})
        if value:  # an empty required field still gets its parents, so the error can name the field
            place[name] = _value(field, value)
    return json.dumps(arguments)
