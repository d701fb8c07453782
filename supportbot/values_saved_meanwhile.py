"""Forms that do not overwrite what has been saved since their page was opened.

A form's page contains a hash of each value that it shows (`seal`). If another value has been stored when the form is
submitted, and the person did not change the one that was shown, the stored value is kept. If both have changed it, the
form is shown again and says so; the person decides by saving it again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.http import QueryDict
from django.utils.html import strip_tags
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext, gettext_noop

from supportbot.errors import SupportBotError

SEALED: Final = "_shown"  # the name of the hidden field
MAX_QUOTED: Final = 100
CHANGED_MEANWHILE: Final = gettext_noop(
    "Something here has been changed since you opened this page. Check the marked fields, then save again."
)
REPLACES: Final = gettext_noop(
    "Changed in the meantime to “{value}”. If you save again, your entry replaces this value."
)
KEPT: Final = gettext_noop("Changed in the meantime, and kept: {fields}.")
REFILLS: Final = gettext_noop("Emptied in the meantime. If you save again, your entry is stored.")
Texts = Sequence[str]  # a field's value as the page shows it: none, one or, for a multiple choice, several


class ChangedMeanwhile(SupportBotError):
    code = "changed_meanwhile"
    status = 409
    default_message = gettext_noop(
        "A newer version has been saved since you opened this page. If you save again, yours replaces it."
    )


@dataclass(frozen=True, slots=True)
class Merged:
    kept: dict[str, Texts] = field(default_factory=dict)  # newer values of fields that the person did not change
    disputed: dict[str, Texts] = field(default_factory=dict)  # newer values of fields that the person changed, too


def seal(shown: Mapping[str, Texts]) -> str:
    """Return the content of the hidden field: a hash of each value, since some are long."""
    return json.dumps({name: _hash(texts) for name, texts in shown.items()}, separators=(",", ":"))


def merge(sealed: str, *, entered: Mapping[str, Texts], stored: Mapping[str, Texts]) -> Merged:
    """Compare what was entered and what is stored now with what the page showed. Fields that are not in `sealed` are
    left out.
    """
    merged = Merged()
    for name, shown in _unsealed(sealed).items():
        if name not in stored or name not in entered or shown == _hash(stored[name]):
            continue
        mine = _hash(entered[name])
        if mine == shown:
            merged.kept[name] = stored[name]
        elif mine != _hash(stored[name]):
            merged.disputed[name] = stored[name]
    return merged


def check_current(sealed: str, stored: Mapping[str, Texts]) -> None:
    """Raise ChangedMeanwhile if what is stored differs from what the page showed."""
    if any(name in stored and shown != _hash(stored[name]) for name, shown in _unsealed(sealed).items()):
        raise ChangedMeanwhile


def said_of(newer: Texts) -> str:
    """Return what to say at a field that the person and someone else have changed."""
    if not newer:
        return gettext(REFILLS)
    return gettext(REPLACES).format(value=Truncator(", ".join(newer)).chars(MAX_QUOTED))


def as_texts(value: str) -> Texts:
    """Return text as a value, with normalised line breaks; browsers send them in their own format."""
    return [value.replace("\r\n", "\n")] if value else []


def _hash(texts: Texts) -> str:
    return sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def _unsealed(sealed: str) -> dict[str, Any]:
    try:
        found = json.loads(sealed)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


if TYPE_CHECKING:
    _Base = forms.Form
else:
    _Base = object


class KeepsNewerValues(_Base):
    """For a form of something stored, whose page contains `shown_values` in a hidden field."""

    kept_labels: Sequence[str] = ()  # the fields whose newer values were kept

    def shown_values(self) -> str:
        return seal(self._stored_texts())

    def full_clean(self) -> None:
        merged = self._merge() if self.is_bound and SEALED in self.data else Merged()
        super().full_clean()
        for name, newer in merged.disputed.items():
            self.add_error(name, said_of(_labelled(self.fields[name], newer)))
        if merged.disputed:
            self.add_error(None, gettext(CHANGED_MEANWHILE))

    def _merge(self) -> Merged:
        entered = {name: _texts(self[name].field.widget, self[name].data) for name in self._compared()}
        merged = merge(self.data[SEALED], entered=entered, stored=self._stored_texts())
        if merged.kept:
            data = cast(QueryDict, self.data).copy()
            for name, texts in merged.kept.items():
                _enter(data, self[name], texts)
            self.data = data
            self.kept_labels = [capfirst(str(self[name].label)) for name in merged.kept]
        return merged

    def _compared(self) -> list[str]:
        """Return the fields' names. A file that was chosen cannot be compared with the stored one."""
        return [name for name, one in self.fields.items() if not isinstance(one.widget, forms.FileInput)]

    def _stored_texts(self) -> dict[str, Texts]:
        prepared = {name: self.fields[name].prepare_value(self[name].initial) for name in self._compared()}
        return {name: _texts(self.fields[name].widget, value) for name, value in prepared.items()}


def _texts(widget: forms.Widget, value: Any) -> Texts:
    if isinstance(widget, forms.CheckboxInput):
        return ["on"] if widget.check_test(value) else []
    shown: Any = widget.format_value(value)
    if isinstance(shown, list | tuple):
        return sorted(str(one) for one in shown if one not in ("", None))
    return as_texts("" if shown is None else str(shown))


def _enter(data: Any, bound: forms.BoundField, texts: Texts) -> None:
    """Put a value into a form's data as a browser sends it."""
    if isinstance(bound.field.widget, forms.CheckboxInput) and not texts:
        data.pop(bound.html_name, None)
    elif isinstance(bound.field.widget, forms.SelectMultiple | forms.CheckboxSelectMultiple):
        data.setlist(bound.html_name, texts)
    else:
        data[bound.html_name] = texts[0] if texts else ""


def _labelled(one: forms.Field, texts: Texts) -> Texts:
    """Return the labels of chosen values as plain text; some labels are HTML."""
    labels = {
        str(value): strip_tags(label) if hasattr(label, "__html__") else str(label)
        for value, label in getattr(one, "choices", ())
    }
    return [labels.get(text, text) for text in texts]
