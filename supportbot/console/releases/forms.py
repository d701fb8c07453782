"""The form for a draft: the fields of the document, and a row for each guideline."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from supportbot.assistant.prompts import product_rules
from supportbot.console.releases.document_differences import ASKERS, PURPOSES
from supportbot.console.releases.strictness import IN_ALL, STRICTNESS
from supportbot.llm.release_routes import names, serves
from supportbot.releases.document import (
    MAX_LINE,
    MAX_NAME,
    MAX_PASSAGES,
    MAX_PRIORITY,
    MAX_TEMPERATURE,
    MAX_TEXT,
    MAX_TOKENS,
    Document,
)

EMPTY_ROWS: Final = 3
PLACES: Final = 3  # a first choice and two fallbacks for each purpose


class DraftForm(forms.Form):
    edits = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(
        required=False,
        max_length=MAX_NAME,
        label=_("Name of the assistant"),
        help_text=_("Channels with their own name keep it."),
    )
    greetings = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label=_("Greetings"),
        help_text=_(
            "One per line, for example “en: Hello {name}, how can I help?” Channels with their own greeting keep it."
        ),
    )
    tone = forms.CharField(
        required=False,
        max_length=MAX_LINE,
        label=_("Tone"),
        help_text=_("For example: warm, brief, no exclamation marks."),
    )
    instructions = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 6}),
        label=_("Instructions"),
        help_text=_(
            "For the model, in addition to its rules. Facts belong in articles, because only articles can be cited."
        ),
    )
    hand_over_when = forms.CharField(
        required=False,
        max_length=MAX_LINE,
        label=_("Hand over when"),
        help_text=_("Cases that need a person, such as: a damaged parcel, a complaint about a colleague."),
    )
    strictness = forms.ChoiceField(
        label=_("Answers not confirmed by your articles"),
        widget=forms.RadioSelect,
        choices=lambda: [(value, choice.shown()) for value, choice in STRICTNESS.items()],
        help_text=IN_ALL,
    )
    passages = forms.IntegerField(
        min_value=1,
        max_value=MAX_PASSAGES,
        label=_("Passages per answer"),
        help_text=_("How many passages of your articles an answer may use."),
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=MAX_TEMPERATURE,
        label=_("Temperature"),
        help_text=_("For the model that answers, from 0 to 2. Leave empty for its default."),
    )
    max_output_tokens = forms.IntegerField(
        required=False,
        min_value=16,
        max_value=MAX_TOKENS,
        label=_("Maximum answer length, in tokens"),
        help_text=_("Leave empty for 800."),
    )
    rules = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 12}),
        label=_("Rules for answers"),
        help_text=_(
            "Leave empty for the rules that come with SupportBot. {orders} stands for what the assistant may do with "
            "orders."
        ),
    )
    reason = forms.CharField(required=False, max_length=300, label=_("Reason"), help_text=_("What this draft is for."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rules"].widget.attrs["placeholder"] = product_rules()

        known = names()
        for purpose in PURPOSES:
            for place in range(PLACES):
                field, name = forms.ChoiceField(required=False), _route_field(purpose, place)
                # If a draft refers to something that was switched off later, keep showing it; saving refuses it with
                # the reason.
                kept = (self.initial.get(name), self.data.get(name))
                offered = [one for one in known.items() if one[0] in kept or serves(one[0], purpose)]
                field.choices = [("", gettext("– installation default –") if place == 0 else "–"), *offered]
                field.label = (gettext("First choice"), gettext("Then"), gettext("Then"))[place]
                self.fields[name] = field

    def route_rows(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return each purpose's name with its fields, first choice first."""
        return [
            (gettext(words), [self[_route_field(purpose, place)] for place in range(PLACES)])
            for purpose, words in PURPOSES.items()
        ]

    def _routes(self, cleaned: dict[str, Any]) -> dict[str, list[str]]:
        """Pop the routes from the entered values, and return the routes without duplicates."""
        found = {
            purpose: [name for place in range(PLACES) if (name := cleaned.pop(_route_field(purpose, place)))]
            for purpose in PURPOSES
        }
        return {purpose: list(dict.fromkeys(route)) for purpose, route in found.items() if route}

    def clean_greetings(self) -> dict[str, str]:
        found = {}
        for line in str(self.cleaned_data["greetings"]).splitlines():
            locale, colon, text = line.partition(":")
            if line.strip() and not colon:
                raise ValidationError(
                    gettext("Start each line with a language code and a colon, for example “en: Hello”.")
                )
            if locale.strip() in found:
                raise ValidationError(gettext("Enter one greeting per language."))
            if line.strip():
                found[locale.strip()] = text.strip()
        return found

    def changes(self, before: Document) -> dict[str, Any]:
        """Return the entered fields of the document. Fields that are not in this form are kept."""
        cleaned = dict(self.cleaned_data)
        routes = self._routes(cleaned)
        parameters = {"temperature": cleaned.pop("temperature"), "max_output_tokens": cleaned.pop("max_output_tokens")}
        kept = {name: cleaned[name] for name in cleaned if name not in ("edits", "reason")}
        others = {
            purpose: {"temperature": one.temperature, "max_output_tokens": one.max_output_tokens}
            for purpose, one in before.parameters.items()
            if purpose != "answer"
        }
        given = any(value is not None for value in parameters.values())
        return {**kept, "parameters": {**others, **({"answer": parameters} if given else {})}, "routes": routes}


class GuidelineForm(forms.Form):
    when = forms.CharField(required=False, max_length=MAX_LINE, label=_("When"))
    do = forms.CharField(required=False, max_length=MAX_LINE, label=_("Do"))
    asker = forms.ChoiceField(
        required=False, label=_("For"), choices=lambda: [(key, gettext(words)) for key, words in ASKERS.items()]
    )
    languages = forms.CharField(
        required=False, max_length=60, label=_("Languages"), help_text=_("For example: en, de. Leave empty for all.")
    )
    priority = forms.IntegerField(required=False, min_value=0, max_value=MAX_PRIORITY, label=_("Priority"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("when")) != bool(cleaned.get("do")):
            raise ValidationError(gettext("Say when it applies and what to do, or leave both empty to remove it."))
        return cleaned

    def guideline(self) -> dict[str, Any] | None:
        cleaned = self.cleaned_data
        if not cleaned.get("when"):
            return None
        languages = [one for one in str(cleaned["languages"]).replace(",", " ").split() if one]
        return {
            "when": cleaned["when"],
            "do": cleaned["do"],
            "asker": cleaned["asker"] or "everyone",
            "languages": languages,
            "priority": cleaned["priority"] or 0,
        }


def _route_field(purpose: str, place: int) -> str:
    return f"route_{purpose}_{place}"


Guidelines = forms.formset_factory(GuidelineForm, extra=EMPTY_ROWS, max_num=60)


def initial_of(document: Document, *, edits: int, reason: str) -> dict[str, Any]:
    parameters = document.parameters_for("answer")
    routes = {
        _route_field(purpose, place): name
        for purpose, route in document.routes.items()
        for place, name in enumerate(route[:PLACES])
    }
    return {
        **routes,
        "edits": edits,
        "reason": reason,
        "name": document.name,
        "greetings": "\n".join(f"{locale}: {text}" for locale, text in sorted(document.greetings.items())),
        "tone": document.tone,
        "instructions": document.instructions,
        "hand_over_when": document.hand_over_when,
        "strictness": document.strictness,
        "passages": document.passages,
        "temperature": parameters.temperature,
        "max_output_tokens": parameters.max_output_tokens,
        "rules": document.rules,
    }


def rows_of(document: Document) -> list[Mapping[str, Any]]:
    return [
        {
            "when": one.when,
            "do": one.do,
            "asker": one.asker,
            "languages": ", ".join(one.languages),
            "priority": one.priority or None,
        }
        for one in document.guidelines
    ]
