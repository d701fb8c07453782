"""What the console's own list pages need of Django's."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import template
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from supportbot.console.words import tag
from supportbot.language.plaintext import plain as plain_text

if TYPE_CHECKING:  # generic for the type checker only
    from django.db.models.options import Options

MOST_OPEN: Final = 6
# What columns and pages call these fields; the models' own names are for programs.
TITLES: Final = {"locale": "language", "audience": "readers", "mode": "with"}

register = template.Library()
register.simple_tag(tag)


@register.filter
def filters_of(changelist: ChangeList) -> list[dict[str, Any]]:
    """Return the list's filters with their choices and the words of the one that is chosen."""
    specs = changelist.filter_specs
    shown = [_shown(_title(spec), [dict(choice) for choice in spec.choices(changelist)]) for spec in specs]
    for place, entry in enumerate(shown):
        # The first filter of a list is the one it is opened for: its choices stand open where they fit on a line.
        entry["is_open"] = place == 0 and len(entry["choices"]) <= MOST_OPEN
    return shown


def _title(spec: Any) -> str:
    return TITLES.get(str(spec.title), str(spec.title))


def _shown(title: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = next((choice["display"] for choice in choices if choice["selected"]), "all")
    is_set = bool(choices) and not choices[0]["selected"]
    return {"title": title, "choices": choices, "chosen": chosen, "is_set": is_set}


@register.filter
def labelled(cells: Sequence[str], headers: Sequence[Mapping[str, Any]]) -> list[SafeString]:
    """Return a row's cells, each but the first with its column's name: small screens have no room for columns."""
    first = 1 if "action-checkbox" in cells[0] else 0
    pairs = zip(cells, headers, strict=True)
    return [_labelled(cell, str(header["text"]), is_lead=n <= first) for n, (cell, header) in enumerate(pairs)]


def _labelled(cell: str, label: str, *, is_lead: bool) -> SafeString:
    if is_lead:
        return mark_safe(cell)  # Django's own cell
    start = format_html('<td data-label="{}"', capfirst(label))
    return mark_safe(cell.replace("<td", start, 1))  # Django's own cell, and an attribute escaped above


@register.filter
def none_yet_of(opts: "Options[Any]") -> str:
    """Return what an empty list says of how it fills."""
    return str(getattr(_pages_of(opts), "none_yet", ""))


@register.filter
def one_of(opts: "Options[Any]") -> str:
    """Return what the console calls one row of a model."""
    return str(getattr(_pages_of(opts), "one", "") or opts.verbose_name)


@register.filter
def many_of(opts: "Options[Any]") -> str:
    """Return what the console calls the list of a model."""
    return str(getattr(_pages_of(opts), "many", "") or capfirst(opts.verbose_name_plural))


def _pages_of(opts: "Options[Any]") -> Any:
    return admin.site._registry.get(opts.model)


@register.filter
def named(row: Any) -> str:
    """Return what the console calls a row."""
    return str(_pages_of(row._meta).name_of(row))


@register.filter
def plain(amount: Decimal | None) -> str:
    """Return an amount with its thousands apart, without trailing zeros and without an exponent."""
    return "–" if amount is None else f"{amount.normalize():,f}"


@register.filter
def unmarked(markdown: str) -> str:
    """Return what a reader sees of a piece of Markdown, on one line."""
    return " ".join(plain_text(markdown).split())


@register.filter
def get(values: Mapping[str, Any], name: str) -> Any:
    """Return what is under a name that a template cannot write, such as one with a hyphen."""
    return values.get(name, "")
