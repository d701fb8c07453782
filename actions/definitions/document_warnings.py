"""Warnings to people who edit a definition: parts of its document that are valid but probably unintended. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import filterfalse
from typing import Any, Final

from django.utils.translation import gettext

from actions.argument_types import Choice, Field, Flag, Listing, Shape
from actions.definitions.errors import ExpressionError, ExpressionFailed, InvalidDefinition
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.ownership_analysis import unshown
from actions.definitions.parsed_parts import Argument, Origin
from actions.definitions.parsing.document import drafted, parse_document, reasons

_SERVER_ERRORS: Final = (500, 502, 503, 504)
# The limits of a chat without a model. `supportbot.builtin.actions.form_fields` makes the forms, in a package that this
# one may not import. A test checks that both agree.
FIELDS_MOST: Final = 20  # fields in a form
ENTRIES_MOST: Final = 20
_CLEAR_LETTERS: Final = 3  # options with no more letters than this need no translation: M, XXL, EUR, 10:30
_RULES_READ: Final = ("answer", "outcome")


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning about a part of a document, at its JSON path."""

    path: str
    text: str


def advice(document: Mapping[str, Any]) -> list[Advice]:
    """Return the warnings about a document in the language of the page, each with the path of its part."""
    server_errors = gettext(
        "{path} treats a server error as proof that nothing happened, but a server may fail after doing the work. "
        "Leave out statuses of 500 and above, so that the outcome is checked."
    )
    return [
        *(Advice(path, text) for path, text in reasons(document).items()),
        *(
            Advice(f"{part}.did_not", server_errors.format(path=f"{part}.did_not"))
            for part in _RULES_READ
            if _takes_server_errors(document.get(part))
        ),
        *_unshown(document),
        *_beyond_the_chat(document),
        *_unlabelled(document),
    ]


def beyond_the_chat(document: Mapping[str, Any]) -> list[str]:
    """Return a warning if a chat without a model cannot ask customers for some arguments."""
    return [one.text for one in _beyond_the_chat(document)]


def _beyond_the_chat(document: Mapping[str, Any]) -> list[Advice]:
    draft = drafted(document)
    names = unaskable(draft.arguments) if draft else []
    text = gettext(
        "Without a model, the chat cannot ask for {names} and offers to hand over to a person instead. Models, REST "
        "and MCP can still fill in every argument. The chat can ask for at most 20 fields, and for a list of objects "
        "only if the list is the argument itself."
    )
    return [Advice(f"arguments.{names[0]}", text.format(names=", ".join(names)))] if names else []


def _unshown(document: Mapping[str, Any]) -> list[Advice]:
    """Return a warning if a complete document's card does not show a value that the call sends."""
    try:
        hidden = unshown(parse_document(document, as_made=True))
    except InvalidDefinition:
        return []
    text = gettext(
        "The card does not show {names}, which the call sends. Customers would confirm something that they cannot "
        "see. Add a row to the card, or mention it in the summary."
    )
    return [Advice("card", text.format(names=", ".join(hidden)))] if hidden else []


def _unlabelled(document: Mapping[str, Any]) -> list[Advice]:
    """Return a warning if customers choose among options that need a label and lack one in some language."""
    draft = drafted(document)
    if draft is None:
        return []
    found = {
        path: option
        for argument in draft.arguments.values()
        if argument.origin in (Origin.CUSTOMER, Origin.MODEL)
        for path, option in _without_label(argument, list(draft.title))
    }
    if not found:
        return []
    text = gettext(
        "Some options of {names} lack a label in at least one language, so customers read the value itself, such as "
        "{value}. Write the labels after the value: {format}."
    )
    columns = " | ".join([gettext("value"), *draft.title])
    (first, value), *_ = found.items()
    return [Advice(f"arguments.{first}", text.format(names=", ".join(found), value=value, format=columns))]


def _without_label(argument: Argument, locales: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the path of each choice of an argument, with its first option that needs a label and lacks one. If any
    option of a choice has a label, all of them need one.
    """
    for path, choice in _choices(argument.accepts, ""):
        labels = argument.inner_labels.get(path, {}) if path else argument.labels
        bare = [one for one in choice.options if not all(labels.get(one, {}).get(locale) for locale in locales)]
        lacking = bare if any(map(labels.get, choice.options)) else filterfalse(_is_clear, bare)
        if option := next(iter(lacking), ""):
            yield ".".join(filter(None, [argument.name, path])), option


def _is_clear(option: str) -> bool:
    return sum(map(str.isalpha, option)) <= _CLEAR_LETTERS


def _choices(accepts: Field, path: str) -> Iterator[tuple[str, Choice]]:
    match accepts:
        case Choice():
            yield path, accepts
        case Listing():
            yield from _choices(accepts.of, path)
        case Shape():
            for name, inner in accepts.all_fields.items():
                yield from _choices(inner, f"{path}.{name}".lstrip("."))


def _takes_server_errors(rules: Any) -> bool:
    text = rules.get("did_not") if isinstance(rules, Mapping) else None
    if not isinstance(text, str):
        return False
    try:
        rule = compile_expression(text)
    except ExpressionError:  # the editor reports this next to the field
        return False
    return any(_accepts_status(rule, status) for status in _SERVER_ERRORS)


def _accepts_status(rule: Any, status: int) -> bool:
    """Return whether a rule holds for an answer with this status and nothing else."""
    try:
        return bool(rule.holds({"status": status, "body": {}, "headers": {}}))
    except (ExpressionFailed, KeyError):
        return False


def unaskable(arguments: Mapping[str, Argument]) -> list[str]:
    """Return the names of the required arguments that a chat without a model cannot ask for, and so hands over to a
    person.
    """
    spoken = (one for one in arguments.values() if one.origin in (Origin.CUSTOMER, Origin.MODEL))
    return [one.name for one in spoken if one.is_required and not is_askable(one.accepts)]


def is_askable(accepts: Field) -> bool:
    match accepts:
        case Shape():
            return _fits_a_form(accepts)
        case Listing(of=Shape() as entry):
            return accepts.min_length <= ENTRIES_MOST and _fits_a_form(entry)
    return _is_one_field(accepts)


def _fits_a_form(shape: Shape) -> bool:
    """Return whether a form has room for the required fields, or for the first optional one if none is required."""
    required = [_fields(one) for one in shape.required.values()]
    optional = [_fields(one) for one in shape.optional.values()]
    asked = required or [one for one in optional if one][:1]
    return bool(asked) and all(asked) and sum(asked) <= FIELDS_MOST


def _fields(accepts: Field) -> int:
    """Return how many fields of a form a value takes, inner objects included; 0 if no form can take it."""
    if not isinstance(accepts, Shape):
        return 1 if _is_one_field(accepts) else 0
    required = [_fields(one) for one in accepts.required.values()]
    return sum((*required, *map(_fields, accepts.optional.values()))) if all(required) else 0


def _is_one_field(accepts: Field) -> bool:
    match accepts:
        case Listing():
            return isinstance(accepts.of, Choice) or not isinstance(accepts.of, Flag | Listing | Shape)
        case Shape():
            return False
    return True
