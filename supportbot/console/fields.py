"""Form fields for language codes, lists of lines, origins and the like."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info, gettext

from kb.importing.picture_reencoding import redrawn_logo
from supportbot.accounts.branding import LOCALE
from supportbot.accounts.field_checks import is_language_code
from supportbot.accounts.origins import clean_origins
from supportbot.accounts.stored_pictures import MAX_BYTES, too_large
from supportbot.errors import InvalidInput
from supportbot.translation import LANGUAGES

COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
PICTURES: Final = "image/png,image/jpeg,image/webp,image/gif"


class ColourInput(forms.TextInput):
    """A colour as text. If scripts run, the browser's colour picker is next to it (`colour.js`)."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "field", "maxlength": 7, "placeholder": "#3a50b5", "spellcheck": "false"})

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, attrs, renderer)
        picker = '<input type="color" class="swatch" data-colour-of="{}" value="{}" aria-label="{}" hidden>'
        chosen = value if isinstance(value, str) and COLOUR.fullmatch(value) else self.attrs["placeholder"]
        picker = format_html(picker, (attrs or {}).get("id", f"id_{name}"), chosen, gettext("Pick a colour"))
        return format_html('<span class="row colour">{}{}</span>', picker, field)


class PriceField(forms.DecimalField):
    """A price, shown without trailing zeros: 2.5, although 2.500000 is stored."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class PictureInput(forms.ClearableFileInput):
    """A file field that shows the stored picture. A hidden field says which one that was."""

    @staticmethod
    def shown_name(name: str) -> str:
        return f"{name}-shown"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        shown, clear = "", ""
        if value:
            shown = format_html('<img class="logo-now" src="{}" alt="">', value)
            words = (self.clear_checkbox_name(name), gettext("Remove"))
            clear = format_html('<label class="row"><input type="checkbox" name="{}"> {}</label>', *words)
        more = {"type": "file", "accept": PICTURES}
        field = forms.FileInput(attrs=more).render(name, None, attrs, renderer)
        which = format_html('<input type="hidden" name="{}" value="{}">', self.shown_name(name), value or "")
        return format_html('<span class="row">{}{}</span>{}{}', shown, field, clear, which)


class Picture(forms.FileField):
    """An uploaded picture, re-encoded as `StoredPicture`, or False to remove the current one."""

    widget = PictureInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        if not data:
            return data  # nothing was uploaded, or the picture is removed
        upload = super().clean(data)
        if upload.size > MAX_BYTES:
            raise ValidationError(too_large())
        try:
            return redrawn_logo(upload.read())
        except InvalidInput as refusal:
            raise ValidationError(refusal.fields["picture"]) from refusal


class SearchedInput(forms.TextInput):
    """A text field that the browser completes from a list. It matches any part of an entry."""

    def __init__(self, options: Iterable[tuple[str, str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"autocomplete": "off", "class": "field", **(attrs or {})})
        self._options = tuple(options)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, {**(attrs or {}), "list": f"{name}-list"}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self._options)
        return format_html('{}<datalist id="{}-list">{}</datalist>', field, name, options)


class LanguageCode(forms.CharField):
    """The code of a language. People can search for a language by its own name or its English name."""

    def __init__(self, **kwargs: Any) -> None:
        infos = {code: get_language_info(code) for code in LANGUAGES}
        self._names = {info[key].casefold(): code for code, info in infos.items() for key in ("name", "name_local")}
        super().__init__(widget=SearchedInput((code, info["name_local"]) for code, info in infos.items()), **kwargs)

    def clean(self, value: Any) -> Any:
        code = str(super().clean(value)).strip()
        code = self._names.get(code.casefold(), code)
        if code and not is_language_code(code):
            raise ValidationError(
                gettext("This language is unknown. Type its name, or a code such as en, de or pt-br.")
            )
        return code


class TimeZone(forms.CharField):
    """The name of a time zone. Its last part, such as Berlin, is enough if no other zone ends with it."""

    def __init__(self, **kwargs: Any) -> None:
        self._names = sorted(available_timezones())
        attrs = {"data-zone": kwargs.get("initial", "")}
        super().__init__(widget=SearchedInput([(name, "") for name in self._names], attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        wanted = str(super().clean(value)).strip().replace(" ", "_").lower()
        named = [name for name in self._names if name.lower() == wanted]
        found = named or [name for name in self._names if name.lower().rpartition("/")[2] == wanted]
        if len(found) != 1:
            raise ValidationError(gettext("Choose a time zone from the list, such as Europe/Berlin."))
        return found[0]


class Lines(forms.CharField):
    """A list of strings, one per line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class ByLanguage(Lines):
    """One text per line in other languages, each after its language code, as in `de: Guten Tag`.

    Texts are grouped by language.
    """

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{code}: {text}" for code, texts in value.items() for text in texts)

    def to_python(self, value: Any) -> Any:
        found: dict[str, list[str]] = {}
        for line in super().to_python(value):
            code, colon, text = line.partition(":")
            if not colon or not LOCALE.fullmatch(code.strip()) or not text.strip():
                raise ValidationError(
                    gettext("Start each line with a language code and a colon, for example “en: Hello”.")
                )
            found.setdefault(code.strip(), []).append(text.strip())
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True


class Origins(Lines):
    def to_python(self, value: Any) -> Any:
        try:
            return clean_origins(super().to_python(value))
        except InvalidInput as refusal:
            raise ValidationError([text for texts in refusal.fields.values() for text in texts]) from refusal

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return super().has_changed(initial, data)
        except ValidationError:
            return True
