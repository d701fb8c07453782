"""Form fields for language codes, lists of lines and origins."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from supportbot.accounts.branding import LOCALE
from supportbot.accounts.services import clean_origin
from supportbot.errors import InvalidInput


class LanguageCode(forms.CharField):
    def clean(self, value: Any) -> Any:
        code = str(super().clean(value)).strip()
        if not LOCALE.fullmatch(code):
            raise ValidationError("Use a language code such as en, de or pt-br.")
        return code


class Lines(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class Origins(Lines):
    def to_python(self, value: Any) -> Any:
        try:
            return list(dict.fromkeys(clean_origin(origin) for origin in super().to_python(value)))
        except InvalidInput as refusal:
            raise ValidationError([text for texts in refusal.fields.values() for text in texts]) from refusal

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return super().has_changed(initial, data)
        except ValidationError:
            return True
