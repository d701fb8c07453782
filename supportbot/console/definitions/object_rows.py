"""The fields of an object as rows of a form. A row has the field's name, its type, its label in each language, and
whether it is required.

Other properties of a field (options, a pattern, bounds, nested fields) are kept unchanged and can be seen in the
document.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from supportbot.team_formats import language_name

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Text

MORE: Final = 2  # empty rows
MOST: Final = 30
_TYPE: Final = "string"  # the type of a field that does not specify one
_OF_ANY_TYPE: Final = ("label", "required")


class ObjectRows(forms.Widget):
    """A table with a row for each field. Saving adds more empty rows."""

    template_name = "console/definitions/object_rows.html"

    def __init__(self, locales: Sequence[str], types: "Sequence[tuple[str, Text]]") -> None:
        super().__init__()
        self._locales = locales
        self._types = types

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        rows = rows_of(value) if isinstance(value, Mapping) else list(value or ())
        rows += [{}] * max(min(MORE, MOST - len(rows)), 0)
        context["languages"] = [language_name(one) for one in self._locales]
        context["rows"] = [self._row(f"{name}-{at}", at + 1, row) for at, row in enumerate(rows)]
        return context

    def _row(self, name: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
        chosen, label = row.get("type") or _TYPE, row.get("label")
        named = dict(self._types)
        of_label = gettext("Label of field {number}, {locale}")
        return {
            "prefix": name,
            "was": row.get("was", ""),
            "name": row.get("name", ""),
            "name_title": gettext("Name of field {number}").format(number=number),
            "types": [*named.items(), *([] if chosen in named else [(chosen, chosen)])],
            "type": chosen,
            "type_title": gettext("Type of field {number}").format(number=number),
            "required": row.get("required", True),
            "required_title": gettext("Field {number} is required").format(number=number),
            "labels": [
                {
                    "name": f"{name}-label-{locale}",
                    "value": label.get(locale, "") if isinstance(label, Mapping) else "",
                    "title": of_label.format(number=number, locale=language_name(locale)),
                }
                for locale in self._locales
            ],
        }

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the rows. The template belongs to the project, so the form's renderer would not find it."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, Any]]:
        """Return the rows that have a name or a label."""
        rows: list[dict[str, Any]] = []
        for at in range(MOST + MORE):

            def entered(what: str, prefix: str = f"{name}-{at}") -> str:
                return str(data.get(f"{prefix}-{what}", "")).strip()

            label = {locale: text for locale in self._locales if (text := entered(f"label-{locale}"))}
            if entered("key") or label:
                rows.append({
                    "was": entered("was"), "name": entered("key"), "type": entered("type") or _TYPE,
                    "required": bool(entered("required")), "label": label,
                })  # fmt: skip
        return rows

    def id_for_label(self, id_: str) -> str:
        return f"{id_}-0-key"


class ObjectField(forms.Field):
    """The fields of an object, by name. `stored` contains the fields in the document."""

    def __init__(self, stored: Mapping[str, Any], locales: Sequence[str], **about: Any) -> None:
        super().__init__(**about)
        self._stored = stored
        self._locales = locales

    def clean(self, value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in super().clean(value):
            if not row["name"]:
                label = next(iter(row["label"].values()))
                raise ValidationError(
                    gettext("Enter the name of the field with the label {label}.").format(label=label)
                )
            if row["name"] in found:
                raise ValidationError(gettext("Two fields are called {name}.").format(name=row["name"]))
            found[row["name"]] = self._field(row)
        return found

    def _field(self, row: Mapping[str, Any]) -> dict[str, Any]:
        stored = self._stored.get(row["was"], {})
        before = stored.get("type") or _TYPE
        # Properties of the old type, such as its options, would be invalid for the new one.
        kept = {k: v for k, v in stored.items() if row["type"] == before or k in _OF_ANY_TYPE}
        written = {**kept, **({} if row["type"] == before and stored else {"type": row["type"]})}
        others = {k: v for k, v in dict(stored.get("label") or {}).items() if k not in self._locales}
        return _with(
            _with(written, "label", {**others, **row["label"]}), "required", None if row["required"] else False
        )


def are_rows(stored: Any) -> bool:
    """Return whether fields can be shown in rows. If not, they are edited as JSON."""
    return isinstance(stored, Mapping) and all(
        isinstance(one, Mapping) and isinstance(one.get("label") or {}, Mapping) for one in stored.values()
    )


def rows_of(fields: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**one, "required": one.get("required") is not False, "was": name, "name": name} for name, one in fields.items()
    ]


def _with(field: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return a field with this value set and its keys in the same order. An empty value is left out."""
    if value is None or value == {}:
        return {k: v for k, v in field.items() if k != name}
    return field | {name: value}
