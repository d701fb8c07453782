"""Serializers for REST bodies: fields that do not convert values, and bodies that reject unknown fields by name."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar, cast

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

S = TypeVar("S", bound=serializers.BaseSerializer[Any])
# PostgreSQL cannot store NUL. `_SPACES` is what `str.strip` removes.
STORABLE: Final = r"^[^\u0000]+$"
_SPACES: Final = r"\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
MOST_UNKNOWN: Final = 20  # unknown fields in one error


def more_than_spaces(*, without: str = r"\u0000", unseen: str = "") -> str:
    """Return a regular expression for text that has at least one visible character and none of the characters in
    `without`.
    """
    return rf"^[^{without}]*[^{without}{_SPACES}{unseen}][^{without}]*$"


class TextField(serializers.CharField):
    """A JSON string. As on the socket, numbers are not converted.

    `schema` contains JSON Schema keywords for what the service validates; they appear in the OpenAPI schema. By
    default, a pattern describes strings that are not empty or, if blanks are allowed, all strings that can be stored.
    If `schema` has `allOf` instead of `pattern`, the field checks nothing, because the service has its own message for
    blanks.

    Length is measured on the text as it was sent. Services trim it and collapse spaces afterwards.
    """

    default_error_messages: ClassVar = {
        "max_length": "This is longer than {max_length} characters. Shorten it.",
        "spaces": "Remove leading and trailing spaces.",
    }

    def __init__(self, *, schema: Mapping[str, Any] = MappingProxyType({}), **more: Any) -> None:
        super().__init__(trim_whitespace=more.pop("trim_whitespace", "pattern" not in schema), **more)
        may_be_spaces = self.allow_blank or not self.trim_whitespace
        default = {} if "allOf" in schema else {"pattern": STORABLE if may_be_spaces else more_than_spaces()}
        self.schema = {**default, **schema}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = super().to_internal_value(data)
        if "allOf" not in self.schema:
            self._check_as_sent(data)
        return text

    def _check_as_sent(self, text: str) -> None:
        most = self.schema.get("maxLength", self.max_length)
        if most is not None and len(text) > most:
            self.fail("max_length", max_length=most)
        if text != text.strip() and not re.fullmatch(self.schema["pattern"], text):
            self.fail("spaces")


class PatternField(serializers.RegexField):
    """Text that fully matches `pattern` as it was sent."""

    def __init__(self, pattern: str, **more: Any) -> None:
        super().__init__(rf"\A{pattern}\Z", trim_whitespace=False, **more)


class FlagField(serializers.BooleanField):
    """A JSON boolean. Values that could be converted, such as 0, "off" or "yes", are rejected."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class OneOfField(serializers.ChoiceField):
    """One of several strings. The error lists them instead of repeating the value, which may be of any length."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            known = ", ".join(map(str, filter(None, self.choices)))
            raise serializers.ValidationError(f"Choose one of {known}.", code="invalid_choice")
        return data


class WholeNumberField(serializers.IntegerField):
    """A JSON integer, which may be written as 7.0. Text that could be converted is rejected."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        number: int = super().to_internal_value(data)
        return number


def example(**fields: Any) -> Callable[[type[S]], type[S]]:
    """Add to the OpenAPI schema an example request body with these fields."""
    shown = OpenApiExample("Example", value=fields, request_only=True)
    return cast(Callable[[type[S]], type[S]], extend_schema_serializer(examples=[shown]))


class ClosedSerializerMixin:
    """Rejects unknown fields by name, because a typo must never be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["Send a JSON object with named fields."]})
        known = self.fields  # type: ignore[attr-defined]  # provided by the serializer it is mixed into
        unknown = [name for name in data if name not in known]
        if unknown:
            raise serializers.ValidationError({str(name): ["Unknown field."] for name in unknown[:MOST_UNKNOWN]})
        return super().to_internal_value(data)  # type: ignore[misc]  # the serializer's own


class EmptyInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    """A request body without fields, for calls whose URL says everything."""
