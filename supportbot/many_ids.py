"""A condition on many ids. Django's own takes 10 ms for a thousand ids, because each is a parameter."""

from collections.abc import Sequence
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, Func, UUIDField, Value


class Among(Func):
    """True for rows whose column is one of the ids, which are sent as one parameter."""

    arg_joiner = " = ANY"
    template = "(%(expressions)s)"
    output_field = BooleanField()

    def __init__(self, column: str, ids: Sequence[UUID]) -> None:
        super().__init__(column, Func(Value(ids, output_field=ArrayField(UUIDField())), template="(%(expressions)s)"))
