"""The proof that a definition's records, and a write's call, concern the customer who asks. Without it, a definition
cannot be published. Pure.

In a chat, anyone can name someone else's record. So if a call names a record by a value from the chat, it must be
proven that the record is the customer's: by a look-up with an owner, or by a path that names the customer first
(`/guests/{identity.sub}/…`). A public look-up of the record states that it belongs to nobody. A call that passes on
values from the chat must also say which customer it is for, unless its author marks it as naming no customer, such as a
request to be called back. In that case, no value from the chat may name a record, and the definition must limit how
often each customer may make the request.

In query, headers and body, a value may also be a note or a figure, and its name does not show whether it is a record's
id: a loan may be sent as `loan_id`, `loan` or `number`. So a text of up to 200 characters counts as an id until the
author says that it names no record. A number counts as an id if "id" is the last word of its name or of the field that
it is sent in. For these values, a guard that compares them with one of the customer's records is also proof.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop

from actions.argument_types import Amount, Choice, Date, Field, Flag, Listing, Shape, Text
from actions.definitions.expressions.expression import Expression, Path
from actions.definitions.parsed_parts import (
    Argument,
    CallTemplate,
    CardTemplate,
    Definition,
    Guard,
    Lookup,
    Origin,
    RecordChoice,
    Subject,
)
from actions.definitions.parsing.field_reader import ARGUMENTS, ObjectReader

# Types whose values cannot name someone else's record: the definition lists them, or they are not record numbers.
_NO_IDS: Final = (Amount, Choice, Date, Flag)
_LONGEST_ID: Final = 200  # the default limit of a text
_IDENTITY: Final = "identity"
PER_CUSTOMER_DAY: Final = "max_requests_per_customer_day"
_SUBJECT_OF_OTHERS: Final = gettext_noop(
    "Read the id from a record that has an owner, such as order.id, or write identity.sub. Limits are counted per "
    "subject, and neither an argument nor a public record proves who owns it."
)


_UNBOUND: Final = gettext_noop(
    "The path of the call contains {name}, which comes from the chat and could be someone else's. If it is the "
    "customer's id, take it from their signed identity. Otherwise, use it in a look-up with an owner, or in a public "
    "look-up if the record belongs to nobody."
)
_UNPROVEN_TEXT: Final = gettext_noop(
    "The call sends {name}, which comes from the chat. If it can identify a record, such as an order, an account or a "
    "person, use it in a look-up with an owner, or compare it with one of the customer's records in a guard. If it is "
    "only the customer's own words, select “It does not identify a record” for the argument."
)
_UNPROVEN_ID: Final = gettext_noop(
    "The call sends {name}, which looks like the id of a record, comes from the chat and could be someone else's. Use "
    "it in a look-up with an owner, or compare it with one of the customer's records in a guard. If it is not a "
    "record's id, select “It does not identify a record” for the argument."
)
_CONCERNS_NOBODY: Final = gettext_noop(
    "The call identifies neither the customer nor a record of theirs, so it could concern anyone. Send the customer's "
    "id, {identity.sub}, or a field of a record that has an owner. If the system does not need to know who it is for, "
    "such as a request to be called back, select “It identifies no customer” for the call."
)
_UNLIMITED: Final = gettext_noop(
    "The call identifies no customer, so the system cannot tell if one customer sends it too often. Limit the "
    "requests per customer in 24 hours."
)
_MOVES_MONEY: Final = gettext_noop(
    "An action that moves money must identify the customer. Clear “It identifies no customer”, and send the "
    "customer's id, {identity.sub}, or a field of a record that has an owner."
)
_NAMES_ONE: Final = gettext_noop(
    "The call identifies the customer or one of their records. Clear “It identifies no customer”, or send neither."
)


_NOT_LOOKED_UP: Final = gettext_noop("Read the list from a look-up.")
_NEVER_ASKED: Final = gettext_noop(
    'Customers are not asked for an argument with "required": false, so they would never see these choices. Leave '
    'out "required" or "choose_from".'
)
_NEEDS_ITSELF: Final = gettext_noop(
    "The look-up of these records needs {name} itself. Use a list that can be looked up without it."
)


@dataclass(frozen=True, slots=True)
class OwnershipGap:
    """The gaps in a call's proof: arguments in its path, and whether it names neither the customer nor a record of
    theirs.
    """

    arguments: Sequence[str] = ()
    concerns_nobody: bool = False
    names_customer: bool = False
    ids: Sequence[str] = ()  # arguments outside the path that look like record ids
    texts: Sequence[str] = ()  # other arguments that may be record ids


def unbound(
    call: CallTemplate,
    arguments: Mapping[str, Argument],
    lookups: Sequence[Lookup],
    values: Mapping[str, Expression],
    guards: Sequence[Guard],
) -> OwnershipGap:
    """Return the arguments that a write's call names without proof that their records are the customer's."""
    named = _Named(arguments, values)
    theirs = [lookup for lookup in lookups if not lookup.is_public]
    own = {_IDENTITY} | {lookup.name for lookup in theirs} | named.by_calls(theirs)
    stated = own | named.by_calls(lookup for lookup in lookups if lookup.is_public)
    open_ones: list[str] = []
    for segment in call.path.segments:
        read = named.read(path for part in segment if isinstance(part, Expression) for path in part.paths())
        if read & own:  # the rest of the path is below the customer's record
            break
        open_ones += sorted(name for name in read - stated if name in named.open_arguments)
    everything = named.read(call.paths())
    names_customer = bool(everything & own)
    concerns_nobody = bool(everything & named.open_arguments) and not names_customer and not call.names_no_customer
    listed = _chosen_from_public_lists(arguments, lookups, named)
    unproven = _unproven(call, named, own, stated | listed, guards) if not concerns_nobody else {}
    names = [name.removeprefix(f"{ARGUMENTS}.") for name in open_ones]
    rest = sorted(unproven.keys() - set(names))
    ids = [name for name in rest if unproven[name]]
    return OwnershipGap(names, concerns_nobody, names_customer, ids, [name for name in rest if name not in ids])


def _unproven(
    call: CallTemplate, named: "_Named", own: Set[str], stated: Set[str], guards: Sequence[Guard]
) -> dict[str, bool]:
    """Return the arguments outside the path that may be record ids and lack proof: no look-up finds a record by them,
    and no guard compares them with the customer's records. The value is true if the argument is named like an id.
    """
    compared = [named.read(guard.require.paths()) for guard in guards]
    proven = stated | {name for read in compared if read & own for name in read}
    found: dict[str, bool] = {}
    for field, paths in call.named_paths():
        read = named.read(paths)
        for one in (read & named.open_arguments) - proven if not read & own else ():
            name = one.removeprefix(f"{ARGUMENTS}.")
            if named.may_be_id(name, field):
                found[name] = found.get(name, False) or named.is_named_id(name, field)
    return found


def _chosen_from_public_lists(
    arguments: Mapping[str, Argument], lookups: Sequence[Lookup], named: "_Named"
) -> set[str]:
    """Return the arguments that are chosen from public records, which belong to nobody. Their values are compared with
    the list whenever a request is decided, so they can name nothing else, unless the list's values are computed from
    another argument that can name a record.
    """
    public = {lookup.name for lookup in lookups if lookup.is_public}
    return {
        f"{ARGUMENTS}.{one.name}"
        for one in arguments.values()
        if one.choose_from is not None
        and one.choose_from.list.sources() & public
        and not _read_for_value(one.choose_from, named) & named.open_arguments
    }


def _read_for_value(choosing: RecordChoice, named: "_Named") -> frozenset[str]:
    """Return what the values of a list are computed from, apart from the list's entries."""
    sources = choosing.value.sources() - {choosing.element}
    return named.read(path for path in choosing.value.paths() if path[0] in sources)


def _ends_with_id(name: str) -> bool:
    """Return whether the last word of a name is "id" or "ids": item_ids, orderId, ID."""
    return re.search(r"(^|[_.-])(?i:ids?)$|(?<=[a-z0-9])I[dD]s?$", name, re.ASCII) is not None


def unshown(definition: Definition) -> list[str]:
    """Return the arguments that a write's call sends but its card shows neither by their own value nor by a record that
    they find. For an argument with inner fields, return the required fields that the card does not show.
    """
    call, card = definition.call, definition.card
    if call is None or card is None:
        return []
    named = _Named(definition.arguments, definition.values)
    on_card = _expressions_of(card)
    read = {path for expression in on_card for path in expression.paths()}
    if ("money",) in {path[:1] for path in read} and definition.money:
        read |= definition.money.amount.paths()
    shown = named.read(read)
    found_by = named.by_calls(lookup for lookup in definition.lookups if lookup.name in shown)
    sent = named.read(call.paths())
    computed = named.read(path for path in read if path[0] in definition.values)
    inside = {field for expression in on_card for field in expression.fields()}
    hidden: list[str] = []
    for one in definition.arguments.values():
        name = f"{ARGUMENTS}.{one.name}"
        if one.origin is not Origin.CUSTOMER or name not in sent or name in found_by:
            continue
        if name not in shown:
            hidden.append(one.name)
        elif name not in computed:
            leaves = (f"{one.name}{leaf}" for leaf in _required_in(one.accepts) if leaf)
            hidden += [leaf for leaf in leaves if f"{ARGUMENTS}.{leaf}" not in inside]
    return hidden


def _expressions_of(card: CardTemplate) -> list[Expression]:
    """Return the expressions of a card."""
    words = [card.title, card.summary, card.button, *(row.words for row in card.rows)]
    templates = [template for texts in words for template in texts.values()]
    return [
        *(expression for template in templates for expression in template.expressions()),
        *(row.value for row in card.rows if row.value),
    ]


def _required_in(accepts: Field) -> Iterator[str]:
    """Yield the paths of the required single values inside a field, such as ".city"; "" for a single value itself."""
    match accepts:
        case Shape():
            for name, inner in accepts.required.items():
                yield from (f".{name}{path}" for path in _required_in(inner))
        case Listing(of=Shape() as entry):
            yield from _required_in(entry)
        case _:
            yield ""


def compares_owner(lookup: Lookup, owner: Expression, own: Set[Path]) -> bool:
    """Return whether an owner depends on the record or on an earlier record of the customer's (`own`), or whether the
    call can find only the customer's own records.
    """
    read = {path[0] for path in owner.paths()}
    if read & {lookup.name, *(path[0] for path in own if path[0] not in ("identity", "arguments"))}:
        return True
    named = lookup.call.paths() | (lookup.for_each.paths() if lookup.for_each else frozenset())
    return any(path[:1] in own or path[:2] in own for path in named)


def require_owner(
    top: ObjectReader, lookups: Sequence[Lookup], subject: Subject | None, values: Mapping[str, Expression]
) -> None:
    """Require that a write concerns something of the customer's: a record with an owner, or the customer.

    Limits add up per subject, so its id comes from the record: an argument could be spelled in several ways, and a
    public record has no owner. An argument may choose the record from a list of the customer's records.
    """
    roots = sources_of(subject.id, values) if subject is not None else frozenset[str]()
    theirs = {lookup.name for lookup in lookups if not lookup.is_public}
    if "identity" not in roots and not any(lookup.owner for lookup in lookups):
        top.lacks("lookups[0].owner" if lookups else "lookups")
    elif subject is not None and (not roots or roots - theirs - {"identity"}):
        top.add("subject.id", gettext(_SUBJECT_OF_OTHERS))


def require_own_choices(top: ObjectReader, arguments: Mapping[str, Argument], lookups: Sequence[Lookup]) -> None:
    """Require that customers choose only from their own or public records, and only for required arguments, since
    customers are not asked for optional ones. Finding the records must not depend on the choice itself, directly or
    through other choices. Versions published before this rule may still depend on it through other choices.
    """
    known = {lookup.name for lookup in lookups}
    chosen = {one.name: one.choose_from for one in arguments.values() if one.choose_from is not None}
    reads = {
        name: {other for other in chosen if reads_argument(choosing, [other], lookups)}
        for name, choosing in chosen.items()
    }
    for name, choosing in chosen.items():
        if not arguments[name].is_required:
            top.findings.add(f"arguments.{name}.choose_from", gettext(_NEVER_ASKED))
        at = f"arguments.{name}.choose_from.list"
        sources = choosing.list.sources()
        if not sources or sources - known:
            top.findings.add(at, gettext(_NOT_LOOKED_UP))
        if reads_argument(choosing, [name], lookups):
            top.findings.add(at, gettext(_NEEDS_ITSELF).format(name=name))
        elif name in _all_read(name, reads):
            top.findings.lacks(at, gettext(_NEEDS_ITSELF).format(name=name), only_new=True)


def _all_read(name: str, reads: Mapping[str, Set[str]]) -> set[str]:
    """Return all choices that a list depends on, directly or through other choices."""
    found: set[str] = set()
    waiting = {name}
    while waiting:
        waiting |= reads[waiting.pop()] - found
        found |= waiting
    return found


def reads_argument(choosing: RecordChoice, arguments: Iterable[str], lookups: Sequence[Lookup]) -> bool:
    """Return whether the records to choose from depend on any of these arguments."""
    read = {path[:2] for lookup in needed_for(choosing, lookups) for path in _read_by_lookup(lookup)}
    read |= {path[:2] for path in choosing.list.paths() | choosing.value.paths()}
    return not read.isdisjoint({(ARGUMENTS,), *((ARGUMENTS, one) for one in arguments)})


def needed_for(choosing: RecordChoice, lookups: Sequence[Lookup]) -> list[Lookup]:
    """Return the look-ups that find the records to choose from, in their order."""
    wanted = {path[0] for path in choosing.list.paths()}
    needed: list[Lookup] = []
    for lookup in reversed(lookups):
        if lookup.name in wanted:
            needed.insert(0, lookup)
            wanted |= {path[0] for path in _read_by_lookup(lookup)}
    return needed


def _read_by_lookup(lookup: Lookup) -> frozenset[Path]:
    owner = lookup.owner.paths() if lookup.owner else frozenset[Path]()
    return lookup.call.paths() | owner | (lookup.for_each.paths() if lookup.for_each else frozenset())


def sources_of(value: Expression, values: Mapping[str, Expression], seen: Set[str] = frozenset()) -> frozenset[str]:
    """Return the records and other outside names that a value comes from, directly or through named values."""
    found: set[str] = set()
    for name in value.sources() - seen:
        found |= sources_of(values[name], values, seen | {name}) if name in values else {name}
    return frozenset(found)


def require_bound(top: ObjectReader, found: OwnershipGap, document: Mapping[str, Any]) -> None:
    """Require proof that the records named by the call are the customer's. For ids outside the path, only new versions
    need it; versions that were published before this rule stay valid.
    """
    for name in found.arguments:
        top.lacks(f"arguments.{name}.from", gettext(_UNBOUND).format(name=name))
    for name in found.ids:
        top.lacks(f"arguments.{name}.from", gettext(_UNPROVEN_ID).format(name=name), only_new=True)
    for name in found.texts:
        top.lacks(f"arguments.{name}.names_no_record", gettext(_UNPROVEN_TEXT).format(name=name), only_new=True)
    if found.concerns_nobody and not found.arguments:
        top.lacks("call.body" if _call_has(document, "body") else "call.path", gettext(_CONCERNS_NOBODY))


def require_unnamed(top: ObjectReader, found: OwnershipGap, limits: Mapping[str, Any], *, moves_money: bool) -> None:
    """Require that a call marked as naming no customer names none, moves no money and has a limit per customer."""
    if moves_money:
        top.findings.add("call.names_no_customer", gettext(_MOVES_MONEY))
    if found.names_customer:
        top.findings.add("call.names_no_customer", gettext(_NAMES_ONE))
    if PER_CUSTOMER_DAY not in limits:
        top.lacks(f"limits.{PER_CUSTOMER_DAY}", gettext(_UNLIMITED))


def _call_has(document: Mapping[str, Any], name: str) -> bool:
    call = document.get("call")
    return isinstance(call, Mapping) and call.get(name) is not None


class _Named:
    """A resolver of paths to what they ultimately read: "identity", look-ups, and arguments as "arguments.name"."""

    def __init__(self, arguments: Mapping[str, Argument], values: Mapping[str, Expression]) -> None:
        self._arguments = arguments
        self._values = values
        self.open_arguments = frozenset(
            f"{ARGUMENTS}.{one.name}"
            for one in arguments.values()
            if one.origin in (Origin.CUSTOMER, Origin.MODEL) and not isinstance(one.accepts, _NO_IDS)
        )

    def may_be_id(self, name: str, field: str) -> bool:
        """Return whether an argument may be a record's id: true if its type fits and its author has not said
        otherwise.
        """
        argument = self._arguments[name]
        return not argument.names_no_record and (_has_text(argument.accepts) or self.is_named_id(name, field))

    def is_named_id(self, name: str, field: str) -> bool:
        """Return whether an argument, the field it is sent in or one of its inner fields is named like an id."""
        return any(map(_ends_with_id, (name, field, *_fields_in(self._arguments[name].accepts))))

    def read(self, paths: Iterable[Path]) -> frozenset[str]:
        return frozenset(self._followed(paths, frozenset()))

    def by_calls(self, lookups: Iterable[Lookup]) -> frozenset[str]:
        """Return the open arguments that these look-ups use to find their records."""
        found: set[str] = set()
        for lookup in lookups:
            found |= self.read(lookup.call.paths() | (lookup.for_each.paths() if lookup.for_each else frozenset()))
        return frozenset(found & self.open_arguments)

    def _followed(self, paths: Iterable[Path], seen: Set[Path]) -> Iterator[str]:
        for path in paths:
            if path[:2] in seen:
                continue
            match path:
                case ("arguments", name, *_) if name in self._arguments:
                    yield from self._argument(self._arguments[name], seen | {path[:2]})
                case ("arguments", *_):  # all arguments, or one with a computed name
                    every = [(ARGUMENTS, name) for name in self._arguments]
                    yield from self._followed(every, seen)
                case (name, *_) if name in self._values:
                    yield from self._followed(self._values[name].paths(), seen | {path[:2]})
                case _:
                    yield path[0]

    def _argument(self, argument: Argument, seen: Set[Path]) -> Iterator[str]:
        match argument.origin:
            case Origin.IDENTITY:
                yield _IDENTITY
            case Origin.SERVER if argument.value:
                yield from self._followed(argument.value.paths(), seen)
            case _:
                yield f"{ARGUMENTS}.{argument.name}"


def _has_text(accepts: Field) -> bool:
    """Return whether a value has text that is short enough for an id."""
    match accepts:
        case Listing():
            return _has_text(accepts.of)
        case Shape():
            return any(map(_has_text, accepts.all_fields.values()))
    return isinstance(accepts, Text) and accepts.max_length <= _LONGEST_ID


def _fields_in(accepts: Field) -> Iterator[str]:
    """Yield the names of the fields inside an argument."""
    match accepts:
        case Listing():
            yield from _fields_in(accepts.of)
        case Shape():
            for name, one in accepts.all_fields.items():
                yield from () if isinstance(one, _NO_IDS) else (name,)
                yield from _fields_in(one)
