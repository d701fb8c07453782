"""Deciding whether a look-up may answer visitors who are not signed in. Pure.

It reads the compiled definition, so that a new field with an expression is found without being listed here. Anything
unknown counts as reading the customer's identity.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop

from actions.definitions.bodies import Body
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.template import Fields, PathTemplate, Template
from actions.definitions.parsed_parts import Definition, Origin
from actions.spec import VISITOR_REQUESTS_PER_HOUR

_COMPILED: Final = (Body, Expression, Fields, PathTemplate, Template)
_PLAIN: Final = (str, bool, int, Decimal, type(None))
_IDENTITY: Final = "identity"

_NOT_PUBLIC: Final = gettext_noop(
    "The look-up {name} is not public, so its records are only for the customers who own them. Mark it as public if "
    "anyone may see them. Otherwise clear “Also for visitors who are not signed in”."
)
_READS_CUSTOMER: Final = gettext_noop(
    "Visitors have no identity, but this look-up reads the customer's. Remove identity from its expressions, texts and "
    "arguments, or clear “Also for visitors who are not signed in”."
)
_TOO_MANY: Final = gettext_noop(
    "One answer may take {requests} requests to the system, and a visitor may cause at most {most} in an hour. Lower "
    "“at_most” of its look-ups, or clear “Also for visitors who are not signed in”."
)


def excess_for_visitors(definition: Definition) -> str:
    """Return, in the page's language, why one answer may take more requests than a visitor may cause in an hour; "" if
    it cannot.
    """
    requests = sum(lookup.at_most if lookup.for_each else 1 for lookup in definition.lookups)
    if requests <= VISITOR_REQUESTS_PER_HOUR:
        return ""
    return gettext(_TOO_MANY).format(requests=requests, most=VISITOR_REQUESTS_PER_HOUR)


def obstacle_for_visitors(definition: Definition) -> str:
    """Return, in the page's language, why visitors cannot be answered; "" if every record is public and the customer's
    identity is not read.
    """
    own = next((lookup.name for lookup in definition.lookups if not lookup.is_public), None)
    if own is not None:
        return gettext(_NOT_PUBLIC).format(name=own)
    is_named = any(argument.origin is Origin.IDENTITY for argument in definition.arguments.values())
    return gettext(_READS_CUSTOMER) if is_named or _reads_identity(definition) else ""


def _reads_identity(part: Any) -> bool:
    """Return whether a compiled part reads the identity; true for a value of an unknown type."""
    if isinstance(part, _COMPILED):
        return any(path[0] == _IDENTITY for path in part.paths())
    if isinstance(part, Mapping):
        return _any_reads(part.values())
    if isinstance(part, list | tuple | Set):
        return _any_reads(part)
    if is_dataclass(part):
        # A definition keeps its document, whose texts are not compiled. All of its expressions are in the other parts.
        return _any_reads(getattr(part, one.name) for one in fields(part) if one.name != "document")
    return not isinstance(part, _PLAIN)


def _any_reads(parts: Iterable[Any]) -> bool:
    return any(map(_reads_identity, parts))
