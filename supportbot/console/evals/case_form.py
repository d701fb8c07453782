"""A case as a form, with its question and the most common expectations.

The rest of its document (earlier messages, attacks, patterns and so on) is kept unchanged and can be edited as YAML. A
case is submitted either as the form or as YAML.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.models import Article
from supportbot.console.display import error_text
from supportbot.errors import SupportBotError
from supportbot.evals.suite_formats.document_values import MAX_TEXT, mapping_of
from supportbot.evals.suite_formats.expectations import MAX_SHOWN, MAX_VALUE_TEXT, MAX_VALUES
from supportbot.evals.suite_formats.files import as_yaml, structure_of

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Text

FORM: Final = "form"  # the tab with the form; the other one has the YAML
DOCUMENT: Final = "document"
MOST_OFFERED: Final = 500  # the maximum number of articles to choose from
EMPTY_ROWS: Final = 2
LISTED: Final = ("source", "says", "never_says", "figures", "not_figures")
FLAGS: Final = ("abstains", "hands_over")
ANSWERS: Final = {"": None, "yes": True, "no": False}
ASKING: Final = ("ask", "steps")
_CHOICES: Final = (("", _("Not checked")), ("yes", _("Yes")), ("no", _("No")))


class ArticleRows(forms.Widget):
    """A row for each article's id, and some empty rows. The page suggests articles to choose from."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return [text.strip() for text in data.getlist(name) if text.strip()]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        described = (attrs or {}).get("aria-describedby", "")
        rows = []
        for place, text in enumerate([*(value or []), *[""] * EMPTY_ROWS]):
            label = gettext("Article {number}").format(number=place + 1)
            rows.append((name, text, f"id_{name}_{place}" if place else f"id_{name}", label, described))
        row = '<input class="field" name="{}" value="{}" id="{}" aria-label="{}" aria-describedby="{}" list="articles">'
        return format_html_join("", row, rows)


def _field_of_lines(label: "Text", help_text: "Text", *, rows: int = 2) -> forms.CharField:
    """Return a field for several texts, one per line."""
    return forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": rows}), label=label, help_text=help_text
    )


class CaseForm(forms.Form):
    key = forms.CharField(
        max_length=80, label=_("Name"), help_text=_("Short and unique in the suite: letters, digits and . : _ -")
    )
    ask = forms.CharField(
        required=False, max_length=MAX_TEXT, widget=forms.Textarea(attrs={"rows": 3}), label=_("Question")
    )
    source = forms.Field(
        required=False,
        widget=ArticleRows,
        label=_("Sources"),
        help_text=_("The answer must cite one of these articles. Enter a title or an id."),
    )
    says = _field_of_lines(_("Facts that the answer must state"), _("One per line, in any words."), rows=3)
    never_says = _field_of_lines(_("Facts that the answer must not state"), _("One per line, in any words."))
    figures = _field_of_lines(_("Figures that the answer must contain"), _("One per line, such as 60 days or €50."))
    not_figures = _field_of_lines(_("Figures that the answer must not contain"), _("One per line."))
    abstains = forms.ChoiceField(required=False, choices=_CHOICES, label=_("It says that it found no answer"))
    hands_over = forms.ChoiceField(required=False, choices=_CHOICES, label=_("It hands over to a person"))
    judge = forms.CharField(
        required=False,
        max_length=MAX_VALUE_TEXT,
        widget=forms.Textarea(attrs={"rows": 2}),
        label=_("A good answer, in words"),
        help_text=_("The judging model compares the conversation with this description."),
    )
    must = forms.BooleanField(
        required=False,
        label=_("Must pass"),
        help_text=_("If the suite is a gate, any change that makes this case fail is refused."),
    )

    def __init__(self, document: Mapping[str, Any], data: Any = None) -> None:
        self.document = document
        super().__init__(data, initial=initial_of(document), label_suffix="")
        for name in ("ask" if name in ASKING else name for name in kept_of(document)):
            self.fields.pop(name, None)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxInput | ArticleRows):
                field.widget.attrs["class"] = "field"
                field.widget.attrs["dir"] = "auto"

    def clean_source(self) -> list[str]:
        """Return the ids of the entered articles. An article may also be entered by its title."""
        named: list[str] = list(dict.fromkeys(self.cleaned_data["source"]))
        known = _listed(_expect_of(self.document).get("source")) or []
        return [name if name in known else _id_of(name.replace("\x00", "")) for name in named]

    def clean(self) -> dict[str, Any]:
        for name in LISTED[1:]:
            if name in self.fields and len(_lines(self.cleaned_data.get(name, ""))) > MAX_VALUES:
                self.add_error(name, gettext("Enter at most {most} lines.").format(most=MAX_VALUES))
        return self.cleaned_data

    def made(self) -> dict[str, Any]:
        """Return the document with the entered values."""
        cleaned = self.cleaned_data
        expect = {name: value for name, value in _expect_of(self.document).items() if name not in self.fields}
        expect |= {name: cleaned[name] for name in ("source",) if cleaned.get(name)}
        expect |= {name: lines for name in LISTED[1:] if (lines := _lines(cleaned.get(name, "")))}
        expect |= {name: answer for name in FLAGS if (answer := ANSWERS[cleaned.get(name, "")]) is not None}
        expect |= {"judge": cleaned["judge"]} if cleaned.get("judge") else {}
        rest = {name: value for name, value in self.document.items() if name not in ("id", "must", "expect")}
        if "ask" in self.fields:
            rest = {"ask": cleaned["ask"], **{name: value for name, value in rest.items() if name not in ASKING}}
        must = {"must": True} if cleaned["must"] else {}
        return {"id": cleaned["key"], **rest, **must, "expect": expect}


def entered(request: HttpRequest) -> tuple[str, CaseForm | None, str]:
    """Return the submitted case as YAML, the form with its errors, and an error.

    The form is None if the YAML tab was submitted, or if the YAML that came with the form cannot be read. The error has
    a text only in the second case.
    """
    text = request.POST.get("text", "")
    if request.POST.get("tab", DOCUMENT) != FORM:
        return text, None, ""
    try:
        form = CaseForm(document_in(text), request.POST)
    except SupportBotError as refusal:
        return text, None, error_text(refusal)
    return (as_yaml(form.made()) if form.is_valid() else text), form, ""


def document_in(text: str) -> Mapping[str, Any]:
    """Return a case's document, whether or not it is complete. Raises InvalidSuite."""
    found = structure_of(text) if text.strip() else {}
    return mapping_of(found, "")


def initial_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's initial values for a case."""
    expect = _expect_of(document)
    lists = {name: _listed(expect.get(name)) or [] for name in LISTED}
    shown = {name: "\n".join(texts) for name, texts in lists.items()} | {"source": lists["source"]}
    answers = {name: expect.get(name) for name in FLAGS}
    flags = {name: ("yes" if answer else "no") if isinstance(answer, bool) else "" for name, answer in answers.items()}
    judge = expect.get("judge", "")
    more = {"key": document.get("id", ""), "ask": _question_of(document) or ""}
    more["judge"] = judge if isinstance(judge, str) else ""
    return {**shown, **flags, **more, "must": document.get("must") is True}


def kept_of(document: Mapping[str, Any]) -> list[str]:
    """Return the names of the keys and expectations that the form keeps but cannot edit."""
    expect, shown = _expect_of(document), (*LISTED, *FLAGS, "judge")
    apart = [name for name in LISTED if name in expect and _listed(expect[name]) is None]
    apart += [name for name in FLAGS if name in expect and not isinstance(expect[name], bool)]
    apart += ["judge"] if not isinstance(expect.get("judge", ""), str) else []
    more = [str(name) for name in expect if name not in shown]
    cases = [str(name) for name in document if name not in ("id", "must", "expect", *ASKING)]
    asks = [] if _question_of(document) is not None else ["steps" if "steps" in document else "ask"]
    return [*asks, *cases, *apart, *more]


def articles_offered() -> list[tuple[str, str]]:
    """Return the ids and titles of the articles to choose from."""
    rows = Article.objects.order_by("latest_revision__title").exclude(latest_revision=None)
    return list(rows.values_list("external_id", "latest_revision__title")[:MOST_OFFERED])


def _question_of(document: Mapping[str, Any]) -> str | None:
    """Return a case's question; "" if there is none yet, or None if the case has several messages or a question that
    the form cannot edit.
    """
    steps = document.get("steps", [])
    is_list = isinstance(steps, list)
    if "simulate" in document or not is_list or len(steps) > 1 or (steps and not isinstance(steps[0], str)):
        return None
    question = steps[0] if steps else document.get("ask", "")
    return str(question) if _is_text(question) else None


def _expect_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    expect = document.get("expect")
    return expect if isinstance(expect, Mapping) else {}


def _listed(value: Any) -> list[str] | None:
    """Return the texts in an expectation, or None if the form cannot show them one per line."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(_is_text(one) and "\n" not in str(one).strip() for one in listed):
        return None
    return [str(one).strip() for one in listed]


def _is_text(value: Any) -> bool:
    """Return whether a value is a string, or a number, which YAML often contains where a string is meant. True and
    false are neither.
    """
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _lines(text: str) -> Sequence[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _id_of(name: str) -> str:
    """Return the id of an article, given its id or its title. Raises ValidationError."""
    if Article.objects.filter(external_id=name).exists():
        return name
    titled = list(Article.objects.filter(latest_revision__title__iexact=name).values_list("external_id", flat=True)[:2])
    if len(titled) != 1:
        text = gettext("No article has the id or title “{name}”.") if not titled else gettext(
            "Several articles are called “{name}”. Enter the id."
        )  # fmt: skip
        raise ValidationError(text.format(name=Truncator(name).chars(MAX_SHOWN)))
    return str(titled[0])
