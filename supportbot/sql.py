"""Writes and reads rows with statements that are built once per model.

The ORM builds each statement every time, which takes five times as much processor time as running it. The steps of a
chat turn therefore use the statements in this module. They are derived from the models, so a new field needs no change
here. They send no Django signals, which this project does not use.

They run on psycopg's plain cursor, which lets the server insert the parameters. Django's cursor writes them into the
text in Python, which, together with the cursor's wrapper, would take a third of the time of a short statement. After a
few runs on a connection, the server keeps a statement prepared, because parsing and planning a short one takes longer
than running it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import psycopg
from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, JSONField, Model
from django.utils.asyncio import async_unsafe
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

Row = TypeVar("Row", bound=Model)
Result = TypeVar("Result")


class Statement(NamedTuple):
    """A statement and its values, in the order of its placeholders."""

    text: str
    values: Sequence[Any]


def columns(model: type[Model], table: str, *names: str) -> str:
    """Return a model's columns, all or only the named ones, for selecting them from `table` in the order that `loaded`
    needs.
    """
    return ", ".join(f'{table}."{field.column}"' for field in _fields(model, *names))


def loaded(model: type[Row], values: Sequence[Any], *names: str) -> Row:
    """Return the model instance for a row selected with `columns`. Reading a field that was left out takes a query."""
    fields = _fields(model, *names)
    if convert := _conversions(model, *names):
        values = list(values)
        for place, from_database in convert:
            values[place] = from_database(values[place], None, connection)
    return model.from_db("default", [field.attname for field in fields], values)


def loaded_together(values: Sequence[Any], *models: type[Model]) -> Iterator[Any]:
    """Yield a model instance for each of these models, whose columns follow one another in one row."""
    start = 0
    for model in models:
        end = start + len(_fields(model))
        yield loaded(model, values[start:end])
        start = end


def fetch(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows. Raises Django's database errors."""
    return _run(statement, parameters, lambda cursor: cursor.fetchall())


def fetch_planned(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Like `fetch`, but for a statement whose best plan depends on its parameters. It is planned again each time."""
    return _run(statement, parameters, lambda cursor: cursor.fetchall(), may_prepare=False)


def fetch_each(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """Run statements in one round trip and one transaction, which may be the caller's. Return the rows of each. All are
    planned again.

    Only Django's cursor can send several: it inserts the parameters itself.
    """
    found = []
    with connection.cursor() as cursor:
        cursor.execute("; ".join(one.text for one in statements), [value for one in statements for value in one.values])
        for _ in statements:
            found.append(list(cursor.fetchall()))
            cursor.nextset()
    return found


def run(statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> int:
    """Run a statement and return how many rows it changed. Raises Django's database errors."""
    return _run(statement, parameters, lambda cursor: int(cursor.rowcount))


@async_unsafe
def _run(
    statement: str,
    parameters: Sequence[Any] | Mapping[str, Any],
    result: Callable[[Any], Result],
    *,
    may_prepare: bool = True,
) -> Result:
    database = connections[DEFAULT_DB_ALIAS]  # `connection` would look this up for each of its attributes
    database.close_if_health_check_failed()
    opened = database.connection
    if opened is None or database.execute_wrappers or database.queries_logged:  # not connected yet, or observed
        with database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return result(cursor)
    database.validate_thread_sharing()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors, psycopg.Cursor(opened) as cursor:
        prepare = None if may_prepare else False
        try:
            cursor.execute(statement, parameters, prepare=prepare)
        except psycopg.errors.FeatureNotSupported:
            # A migration has changed the type of a column that a prepared statement returns. In a transaction, which
            # has now failed, psycopg forgets its statements. Outside one, this statement would fail every time.
            if opened.info.transaction_status != TransactionStatus.IDLE:
                raise
            opened.execute("DEALLOCATE ALL")
            cursor.execute(statement, parameters, prepare=prepare)
        return result(cursor)


def insert(*rows: Model) -> None:
    """Insert new rows of one model, as `save(force_insert=True)` does."""
    if not rows:
        return
    into, values = _insertion(type(rows[0]))
    stored = [value for row in rows for value in _stored(row, _fields(type(row)))]
    run(f"{into}{', '.join([values] * len(rows))}", stored)
    _mark_as_stored(rows)


def insert_or_find(row: Model, *, on_conflict: str, returning: str) -> tuple[Any, ...]:
    """Insert a new row, or update the one it conflicts with. Return the expressions `returning` for the stored row.

    `on_conflict` is the ON CONFLICT clause. It must update something, because PostgreSQL returns nothing for an
    unchanged row.
    """
    into, values = _insertion(type(row))
    [found] = fetch(f"{into}{values} {on_conflict} RETURNING {returning}", _stored(row, _fields(type(row))))
    return found


def save(row: Model, *names: str, inserting: Sequence[Model] = (), also: Statement | None = None) -> None:
    """Store the named fields of an existing row, as `save(update_fields=...)` does.

    The same statement inserts new rows of any models and runs `also`, which changes rows in another table.
    """
    fields, update = _update(type(row), names)
    insertions = [_insertion(type(new)) for new in inserting]
    parts = [f"new_{place} AS ({into}{values})" for place, (into, values) in enumerate(insertions)]
    stored = [value for new in inserting for value in _stored(new, _fields(type(new)))]
    if also is not None:
        parts.append(f"also AS ({also.text})")
        stored += also.values
    statement = f"WITH {', '.join(parts)} {update}" if parts else update
    if not run(statement, [*stored, *_stored(row, fields), row.pk]):
        raise ObjectDoesNotExist(f"{row!r} is not stored.")
    _mark_as_stored(inserting)


def insertion(row: Model, source: str, *, ending: str = "", **expressions: str) -> Statement:
    """Return the statement that inserts a new row if `source`, a FROM clause that returns at most one row, finds
    something.

    `expressions` compute fields from what it finds; in an expression, `%s` stands for the new row's own value. `ending`
    follows the values: an ON CONFLICT or RETURNING clause.
    """
    text, fields = _insertion_from(type(row), source, tuple(expressions.items()))
    return Statement(f"{text} {ending}", _stored(row, fields))


def fetch_together(parts: Mapping[str, Statement], last: Statement) -> list[tuple[Any, ...]]:
    """Run several statements as one, and return the rows of the last one. Each sees the tables as they were before, and
    what the named `parts` before it return.
    """
    named = ", ".join(f"{name} AS ({part.text})" for name, part in parts.items())
    values = [value for part in (*parts.values(), last) for value in part.values]
    return fetch(f"WITH {named} {last.text}", values)


def _mark_as_stored(rows: Iterable[Model]) -> None:
    for row in rows:
        row._state.adding = False
        row._state.db = "default"


def _stored(row: Model, fields: "Sequence[Field[Any, Any]]") -> list[Any]:
    values = [getattr(row, field.attname) for field in fields]
    return [
        Jsonb(value) if value is not None and isinstance(field, JSONField) else value
        for field, value in zip(fields, values, strict=True)
    ]


@cache
def _conversions(model: type[Model], *names: str) -> "Sequence[tuple[int, Callable[..., Any]]]":
    """Return the functions that convert columns to field values.

    Most fields need none, but JSON, for example, arrives as text.
    """
    found = ((place, getattr(field, "from_db_value", None)) for place, field in enumerate(_fields(model, *names)))
    return tuple((place, convert) for place, convert in found if convert is not None)


@cache
def _fields(model: type[Model], *names: str) -> "Sequence[Field[Any, Any]]":
    return tuple(field for field in model._meta.concrete_fields if not names or field.attname in names)


@cache
def _insertion(model: type[Model]) -> tuple[str, str]:
    names = [f'"{field.column}"' for field in _fields(model)]
    into = f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) VALUES '
    return into, f"({', '.join(['%s'] * len(names))})"


@cache
def _insertion_from(
    model: type[Model], source: str, expressions: tuple[tuple[str, str], ...]
) -> "tuple[str, Sequence[Field[Any, Any]]]":
    given = dict(expressions)
    values = {field: given.get(field.attname, "%s") for field in _fields(model)}
    names = ", ".join(f'"{field.column}"' for field in values)
    text = f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {", ".join(values.values())} FROM {source}'
    return text, tuple(field for field, value in values.items() if "%s" in value)


@cache
def _update(model: type[Model], names: tuple[str, ...]) -> "tuple[Sequence[Field[Any, Any]], str]":
    known = {name: field for field in _fields(model) for name in (field.name, field.attname)}
    fields = tuple(known[name] for name in names)
    sets = ", ".join(f'"{field.column}" = %s' for field in fields)
    return fields, f'UPDATE "{model._meta.db_table}" SET {sets} WHERE "{model._meta.pk.column}" = %s'
