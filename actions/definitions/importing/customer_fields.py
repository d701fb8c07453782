"""Detecting the fields of an external API that identify the customer. Pure.

The rule: a field names the customer if its own or its schema's name is `customer`, `user`, `account` or `member`
followed by `id`, however that is spelled; a path's plain `id` takes the noun from the segment before it. The value of
such a field comes from the signed identity, since a model could name anyone. Any other field with one of these nouns in
its name is left to a person to check: `recipient_user_id` may be someone else, and `account` something else. An id in
the file's records, such as `patient_id`, may also name the customer if no operation reads a record by it; this is only
suggested.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.importing.drafts import Draft, snake
from actions.definitions.importing.records import Field, Record, Records, depth_of, noun_of_id, own_id_in

_NOUNS: Final = ("customer", "user", "account", "member")
_NAMES: Final = frozenset(f"{noun}id" for noun in _NOUNS)
OF_IDENTITY: Final = {"type": "string", "from": "identity"}


def names_customer(name: str, schema: Any = None, *, after: str = "") -> bool:
    """Return whether a field identifies the customer; `after` is the segment of the path that precedes it."""
    if _bare(name) == "id" and after:
        name = f"{re.sub('s$', '', snake(after))}_id"
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    named = reference.rpartition("/")[2] if isinstance(reference, str) else ""
    return bool({_bare(name), _bare(named)} & _NAMES)


def owner_in(fields: Sequence[Field], record: Record | None = None) -> str:
    """Return the path of a record's field that may identify its owner; "" if there is none. The record's own id says
    nothing about its owner, even if the record is read by something else.
    """
    own = own_id_in(fields, record)
    named = (path for path, spec in fields if names_customer(path[-1], spec, after="".join(path[-2:-1])))
    return next((name for name in map(".".join, named) if name != own), "")


def inner_id_in(fields: Sequence[Field]) -> str:
    """Return the path of the only id inside a record, such as `patient.id`; "" if there is none or more than one. It
    may identify the owner, whatever the file calls its customers.
    """
    inner = [path for path, _ in fields if snake(path[-1]) == "id" and len(path) > depth_of(fields)]
    return ".".join(inner[0]) if len(inner) == 1 else ""


def owner_ids_in(fields: Sequence[Field], records: Records, own: Iterable[str]) -> list[str]:
    """Return the paths of a record's fields that are ids of something else and may identify the owner, whatever the
    file calls its customers. An id counts only if no operation reads a record by this id. If paths list something below
    any of these nouns, only those nouns count. `own` contains the names of the record's own id.
    """
    around = {path[:-1] for path, _ in fields}
    known = {*map(snake, own)}
    ids = {path: noun_of_id(path[-1]) for path, _ in fields if path not in around and snake(path[-1]) not in known}
    foreign = [
        path for path, noun in ids.items() if noun and noun not in records.read_by_id and len(path) == depth_of(fields)
    ]
    holding = [path for path in foreign if ids[path] in records.holders]
    return [".".join(path) for path in holding or foreign]


def suggest_identity(draft: Draft, arguments: Mapping[str, Any], owners: Collection[str]) -> None:
    """Suggest that the identity fills the argument that is the id of one of these nouns, since the noun may be the
    system's word for its customers. If several arguments are such ids, ask a person which one is the customer's.
    """
    asked = {name: noun_of_id(name) for name, spec in arguments.items() if spec.get("from") != "identity"}
    may_be = [name for name, noun in asked.items() if noun in owners]
    for name in may_be:
        draft.check(
            gettext_noop(
                "{argument}: if this is the customer's own id, choose the signed identity under Arguments, because a "
                "chat does not prove who someone is."
            ),
            argument=name,
        )
    if len(may_be) == 1:
        draft.suggest(f"arguments.{may_be[0]}.from", "identity")


def check_names(draft: Draft, argument: str, name: str, spec: Mapping[str, Any]) -> None:
    """Ask a person to check a field that may identify a customer, and the fields inside it."""
    for path in (argument, *_inner(spec, argument)):
        own = path.rpartition(".")[2] if path != argument else name
        if any(re.sub("s$", "", word) in _NOUNS or _bare(word) in _NAMES for word in snake(own).split("_")):
            draft.check(
                gettext_noop(
                    "{field}: this may identify a customer. If it does, take it from the identity or compare the "
                    "record's owner with it, because a chat does not prove who someone is."
                ),
                field=path,
            )


def check_identity(draft: Draft, argument: str) -> None:
    """Ask a person to check a field that is sent from the identity."""
    draft.check(
        gettext_noop(
            "{argument}: always the id of the signed-in customer; nobody can choose it in a chat. Check that the "
            "system knows its customers by this id."
        ),
        argument=argument,
    )


def value_in_body(argument: str, spec: Mapping[str, Any], schema: Any) -> str:
    """Return an argument's value in a body. An identity or a record's number is text, and is converted if the body
    needs a number. An optional argument without a value stays null, so that its field is left out.
    """
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    is_number = spec.get("type") == "string" and kind in ("integer", "number")
    value = f"arguments.{argument}"
    if not is_number:
        return f"{{{value}}}"
    return f"{{number({value})}}" if spec.get("required", True) else f"{{number({value}) if has({value}) else null}}"


def _inner(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    if isinstance(spec.get("of"), Mapping):
        yield from _inner(spec["of"], f"{path}[]")
    for name, one in spec.get("fields", {}).items():
        yield f"{path}.{name}"
        yield from _inner(one, f"{path}.{name}")


def _bare(name: str) -> str:
    return snake(name).removeprefix("x_").replace("_", "")  # headers are often named X-…
