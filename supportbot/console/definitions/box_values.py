"""The boxes of a definition's form: their form fields, and the conversion between stored and entered values."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from supportbot.console.definitions.form_elements import Box, Kind
from supportbot.console.definitions.object_rows import ObjectField, ObjectRows, are_rows
from supportbot.console.definitions.option_rows import OptionRows, OptionsField
from supportbot.team_formats import language_name

ABSENT: Final = object()
_TALL: Final = {Kind.JSON: 4, Kind.FIELDS: 4, Kind.PAIRS: 2, Kind.SENTENCES: 3, Kind.RULE: 2, Kind.LONG: 3}


class JsonText(forms.CharField):
    """JSON as text. Empty text means that there is no value."""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "").strip()
        if not text:
            return ABSENT
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            raise ValidationError(gettext("This is not valid JSON. Check line {line}.").format(line=line)) from error


class RuleField(forms.CharField):
    """An expression, whose syntax the page explains."""

    is_expression = True


def form_field(box: Box, locale: str, stored: Any, locales: Sequence[str]) -> forms.Field:
    label = (
        gettext("{label}, {locale}").format(label=box.label, locale=language_name(locale)) if locale else str(box.label)
    )
    about: dict[str, Any] = {"label": label, "help_text": str(box.help), "required": False}
    match box.kind:
        case Kind.CHOICE:
            named = dict(box.choices)
            others = [(stored, stored)] if isinstance(stored, str) and stored not in named else []
            return forms.ChoiceField(choices=[("", "–"), *box.choices, *others], **about)
        case Kind.FLAG:
            return forms.BooleanField(**about)
        case Kind.WHOLE:
            return forms.IntegerField(**about)
    if box.kind is Kind.FIELDS and (stored is ABSENT or are_rows(stored)):
        own = {} if stored is ABSENT else stored
        return ObjectField(own, locales, widget=ObjectRows(locales, box.choices), **about)
    mono = {"class": "mono", "spellcheck": "false"} if box.kind not in (Kind.LINE, Kind.WORDS, Kind.SENTENCES) else {}
    if box.kind in _TALL:
        about["widget"] = forms.Textarea(attrs={"rows": _TALL[box.kind], **mono})
    if box.kind is Kind.RULE:
        return RuleField(**about)
    if box.kind is Kind.OPTIONS:
        return OptionsField(widget=OptionRows(locales), **about)
    return JsonText(**about) if box.kind in (Kind.JSON, Kind.FIELDS) else forms.CharField(**about)


def shown(box: Box, value: Any) -> Any:
    """Return a stored value in the format that the field shows."""
    if value is ABSENT or value is None:
        return box.default if box.kind is Kind.FLAG else ""
    match box.kind:
        case Kind.FIELDS if are_rows(value):
            return value
        case Kind.JSON | Kind.FIELDS:
            return json.dumps(value, indent=2, ensure_ascii=False)
        case Kind.PAIRS if isinstance(value, Mapping):
            return "\n".join(f"{name}: {text}" for name, text in value.items())
        case Kind.SENTENCES if isinstance(value, list):
            return "\n".join(map(str, value))
        case Kind.STATUSES if isinstance(value, list):
            return ", ".join(map(str, value))
    return value


def value_of(box: Box, typed: Any) -> Any:
    """Return a field's value in the document's format, or ABSENT."""
    match box.kind:
        case Kind.FIELDS:
            return typed or ABSENT
        case Kind.JSON:
            return typed if typed != "" else ABSENT
        case Kind.FLAG:
            return ABSENT if bool(typed) == box.default else bool(typed)
        case Kind.WHOLE:
            return ABSENT if typed in (None, "") else typed
        case Kind.OPTIONS:
            return typed or ABSENT
    text = str(typed).strip()
    if not text:
        return ABSENT
    if box.kind is Kind.NUMBER:
        return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text, re.ASCII) else text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match box.kind:
        case Kind.PAIRS:
            return {name.strip(): rest.strip() for name, _, rest in (line.partition(":") for line in lines)}
        case Kind.SENTENCES:
            return lines
        case Kind.STATUSES:
            return [int(one) if one.isascii() and one.isdigit() else one for one in re.split(r"[\s,]+", text)]
        case Kind.RULE | Kind.WORDS:
            return " ".join(lines)
    return text
