"""The options of a choice as rows of a form, each with its value and its label in each language."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from supportbot.team_formats import language_name

MORE: Final = 2  # empty rows
MOST: Final = 50


class OptionRows(forms.Widget):
    """A table with a row for each option. Saving adds more empty rows."""

    template_name = "console/definitions/options.html"

    def __init__(self, locales: Sequence[str]) -> None:
        super().__init__()
        self._locales = locales

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        stored = [one if isinstance(one, Mapping) else {"value": one} for one in value or ()]
        rows = [*stored, *([{}] * max(min(MORE, MOST - len(stored)), 0))]
        context["languages"] = [language_name(one) for one in self._locales]
        context["rows"] = [self._row(f"{name}-{at}", at + 1, row) for at, row in enumerate(rows)]
        return context

    def _row(self, name: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
        title = gettext("Label of option {number}, {locale}")
        labels = [
            {
                "name": f"{name}-{locale}",
                "value": _label(row, locale),
                "title": title.format(number=number, locale=language_name(locale)),
            }
            for locale in self._locales
        ]
        value = {"name": name, "value": row.get("value", "")}
        return {
            "value": {**value, "title": gettext("Value of option {number}").format(number=number)},
            "labels": labels,
        }

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """Return the rows. The template belongs to the project, so the form's renderer would not find it."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, Any]]:
        """Return the rows that are not empty."""
        rows: list[dict[str, Any]] = []
        for at in range(MOST + MORE):
            value = str(data.get(f"{name}-{at}", "")).strip()
            entered = {locale: str(data.get(f"{name}-{at}-{locale}", "")).strip() for locale in self._locales}
            label = {locale: text for locale, text in entered.items() if text}
            if value or label:
                rows.append({"value": value, **({"label": label} if label else {})})
        return rows

    def id_for_label(self, id_: str) -> str:
        return f"{id_}-0"


class OptionsField(forms.Field):
    """Options, as a list of objects that each contain a value and its labels."""

    def clean(self, value: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = super().clean(value)
        without = next((row for row in rows if not row["value"]), None)
        if without is not None:
            label = next(iter(without["label"].values()))
            raise ValidationError(gettext("Enter the value of the option with the label {label}.").format(label=label))
        return rows


def _label(row: Mapping[str, Any], locale: str) -> str:
    label = row.get("label")
    return str(label.get(locale, "")) if isinstance(label, Mapping) else ""
