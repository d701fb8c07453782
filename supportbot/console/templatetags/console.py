"""Template tags for the console's lists and pages."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import template
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop

from supportbot.console.display import tag
from supportbot.evals.result_texts import CALL_ENDS, failure
from supportbot.language.plain_text import plain as plain_text
from supportbot.llm.selectors import currency_of_costs
from supportbot.team_formats import cost, percentage

if TYPE_CHECKING:  # generic for the type checker only
    from django.db.models.options import Options

MAX_OPEN: Final = 6
# The labels of these fields in columns and on pages; the models' own names are for programs.
TITLES: Final = {
    "audience": gettext_noop("readers"),
    "collection": gettext_noop("collection"),
    "customer": gettext_noop("customer"),
    "currency": gettext_noop("currency"),
    "description": gettext_noop("Description"),
    "key": gettext_noop("key"),
    "locale": gettext_noop("language"),
    "mode": gettext_noop("answered by"),
    "name": gettext_noop("name"),
    "prefix": gettext_noop("prefix"),
    "prompt version": gettext_noop("prompt"),
    "provider": gettext_noop("provider"),
    "role": gettext_noop("role"),
    "slug": gettext_noop("address"),
}

register = template.Library()
register.simple_tag(tag)


@register.filter
def likelihood(value: float) -> str:
    """Return a probability, from 0 to 1, as a percentage from 1 to 99, since no probability here is ever certain."""
    return percentage(100 * min(max(value, 0.01), 0.99))


@register.filter
def filters_of(changelist: ChangeList) -> list[dict[str, Any]]:
    """Return the list's filters, each with its choices and the label of the selected choice."""
    specs = changelist.filter_specs
    shown = [_shown(_title(spec), [dict(choice) for choice in spec.choices(changelist)]) for spec in specs]
    for place, entry in enumerate(shown):
        # The first filter is used most, so its choices are shown if they fit on one line.
        entry["is_open"] = place == 0 and len(entry["choices"]) <= MAX_OPEN
    return shown


def _title(spec: Any) -> str:
    return titled(str(spec.title))


@register.filter
def pages_of(changelist: ChangeList) -> Iterator[int | str]:
    """Return the pages to link to: the first, the last and those around the current one. An ellipsis stands for those
    left out, since a list of 600,000 rows has 12,000 pages.
    """
    pages: Iterator[int | str] = changelist.paginator.get_elided_page_range(changelist.page_num)
    return pages


@register.filter
def titled(name: str) -> str:
    """Return the label that pages use for a field. A title that is already readable is returned unchanged."""
    return gettext(TITLES[name]) if name in TITLES else name


def _shown(title: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = next((choice["display"] for choice in choices if choice["selected"]), gettext("All"))
    is_set = bool(choices) and not choices[0]["selected"]
    return {"title": title, "choices": choices, "chosen": chosen, "is_set": is_set}


@register.filter
def labelled(cells: Sequence[str], headers: Sequence[Mapping[str, Any]]) -> list[SafeString]:
    """Return a row's cells. All but the first include their column's name, because small screens show no header."""
    first = 1 if "action-checkbox" in cells[0] else 0
    pairs = zip(cells, headers, strict=True)
    return [_labelled(cell, titled(str(header["text"])), is_lead=n <= first) for n, (cell, header) in enumerate(pairs)]


def _labelled(cell: str, label: str, *, is_lead: bool) -> SafeString:
    if is_lead:
        return mark_safe(cell)  # the cell comes from Django
    start = format_html('<td data-label="{}"', capfirst(label))
    return mark_safe(cell.replace("<td", start, 1))  # the cell comes from Django, and the attribute was escaped above


@register.filter
def none_yet_of(opts: "Options[Any]") -> str:
    """Return the text shown if a list is empty, which explains how rows are created."""
    return str(getattr(_pages_of(opts), "none_yet", ""))


@register.filter
def choice_words(field: Any, value: str) -> str:
    """Return what a form field shows for a value: the label of an option, or the value itself."""
    return str(dict(getattr(field.field, "choices", ())).get(value, value))


@register.filter
def new_of(opts: "Options[Any]") -> str:
    """Return the label of the button that adds a row to a list."""
    return str(getattr(_pages_of(opts), "new", ""))


@register.filter
def many_of(opts: "Options[Any]") -> str:
    """Return the console's name for a list."""
    return str(getattr(_pages_of(opts), "many", capfirst(opts.verbose_name_plural)))


def _pages_of(opts: "Options[Any]") -> Any:
    return admin.site._registry.get(opts.model)


@register.filter
def named(row: Any) -> str:
    """Return the console's name for a row."""
    return str(_pages_of(row._meta).name_of(row))


@register.filter
def in_currency(amount: Decimal | str, currency: str) -> str:
    """Return a cost with its currency, such as `€0.0032`. Costs of zero are stored without one."""
    return cost(Decimal(amount), currency or currency_of_costs())


@register.filter
def unmarked(markdown: str) -> str:
    """Return Markdown as plain text on one line."""
    return " ".join(plain_text(markdown).split())


@register.filter
def get(values: Mapping[str, Any], name: str) -> Any:
    """Return the value of a key that template syntax does not allow, such as one with a hyphen."""
    return values.get(name, "")


@register.filter
def case_failure(code: str) -> str:
    """Return a sentence that says why a case ended early."""
    return failure(code)


@register.filter
def call_end(end: str) -> str:
    """Return a sentence that says how a model call ended."""
    return gettext(CALL_ENDS[end]) if end in CALL_ENDS else end
