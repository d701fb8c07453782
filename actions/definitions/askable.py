"""What the chat can ask a customer for by itself, with a question or a form. What it cannot, a model or a program can
still fill in. Pure.

`supportbot.builtin.actions.parts` draws the forms, in a package that this one may not import; a test proves that both
agree.
"""

from collections.abc import Mapping
from typing import Final

from actions.definitions.parts import Argument, Origin
from actions.schema import Choice, Field, Flag, Listing, Shape

FIELDS_MOST: Final = 20  # of a form
ENTRIES_MOST: Final = 20


def unaskable(arguments: Mapping[str, Argument]) -> list[str]:
    """Return the names of the required arguments that lead to a person in a chat without a model."""
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
    """Return whether a form has room for what is required, and for the first optional field if nothing is."""
    required = [_fields(one) for one in shape.required.values()]
    optional = [_fields(one) for one in shape.optional.values()]
    asked = required or [one for one in optional if one][:1]
    return bool(asked) and all(asked) and sum(asked) <= FIELDS_MOST


def _fields(accepts: Field) -> int:
    """Return how many fields of a form a value takes, those of objects inside it included; 0 if no form can take it."""
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
