"""Synonyms: words that mean the same to the workspace's customers."""

import re
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from kb.errors import InvalidDocument
from kb.models import Synonyms
from kb.synonyms import check_room, check_words, save_synonyms
from supportbot.console.base import ScopedAdmin

_BETWEEN: Final = re.compile(r"[\n\r,;،、，]")  # separators that people use in lists


class SynonymsForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    words = forms.CharField(
        widget=forms.Textarea(attrs={"class": "field", "rows": 5}),
        label=_("Words"),
        help_text=_(
            "One per line or separated by commas, such as jumper, sweater. A question that contains one of these "
            "words also finds articles with the others."
        ),
    )

    class Meta:
        model = Synonyms
        fields = ["words"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["words"] = "\n".join(self.instance.words or ())

    def clean_words(self) -> list[str]:
        try:
            words = check_words(_BETWEEN.split(self.cleaned_data["words"]))
            if self.instance._state.adding:
                check_room()
            return words
        except InvalidDocument as refusal:
            raise ValidationError(refusal.message) from refusal


@admin.register(Synonyms)
class SynonymsAdmin(ScopedAdmin):
    many = _("Synonyms")
    new = _("New synonyms")
    none_yet = _(
        "Customers and articles may use different words for the same thing. List such words, so that a search for one "
        "also finds the others."
    )
    view_right = "kb:read"
    change_right = "kb:write"
    can_add = can_delete = True
    form = SynonymsForm
    list_display = ["joined"]
    ordering = ["words", "pk"]

    @admin.display(description=_("Words"), ordering="words")
    def joined(self, row: Synonyms) -> str:
        return ", ".join(row.words)

    def save_model(self, request: HttpRequest, obj: Synonyms, form: Any, change: bool) -> None:
        save_synonyms(obj)
