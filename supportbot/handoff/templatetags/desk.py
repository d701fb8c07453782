"""Tags and filters for the team's templates: icons, times, counts, languages and addresses."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.extract import extract_from_file
from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now
from django.utils.translation import gettext, ngettext

from supportbot import team_formats as formats
from supportbot.accounts.models import Membership
from supportbot.chat.answer_html import answer_html
from supportbot.team_formats import active_language, language_name
from supportbot.team_language import TEAM_LANGUAGES

register = template.Library()
KEYWORDS: Final = {"gettext": None, "ngettext": (1, 2)}
MAX_SAMPLE: Final = 1_000  # the numbers below this include every plural form of a language
Texts = dict[str, str | dict[str, str]]


@register.simple_tag
@cache  # a page has dozens of them
def icon(name: str, kind: str = "") -> SafeString:
    """Return an icon, hidden from screen readers."""
    address = f"{static('pages/icons.svg')}#i-{name}"
    return format_html('<svg class="i {}" aria-hidden="true"><use href="{}"></use></svg>', kind, address)


@register.filter
def clock(moment: datetime) -> str:
    """Return the local time. The day is added unless it is today, and the year unless it is this year."""
    here, today = localtime(moment), localtime(now())
    if here.date() == today.date():
        return formats.clock_time(moment)
    return formats.date_time(moment, with_year=here.year != today.year)


@register.simple_tag
def time_of(moment: datetime) -> SafeString:
    """Return a `<time>` element for a moment, to be used within a sentence."""
    return format_html('<time datetime="{}">{}</time>', localtime(moment).isoformat(), clock(moment))


@register.filter
def moment(value: datetime) -> str:
    """Return a moment's day, with the year, and time of day."""
    return formats.date_time(value)


@register.filter
def short_moment(value: datetime) -> str:
    """Return a moment's day, without the year, and time of day."""
    return formats.date_time(value, with_year=False)


@register.filter
def exact_moment(value: datetime) -> str:
    """Return a moment's day and time of day, with seconds."""
    return formats.date_time(value, with_year=False, with_seconds=True)


@register.filter
def day(value: date) -> str:
    return formats.day(value)


@register.filter
def short_day(value: date) -> str:
    """Return a day without its year."""
    return formats.day(value, with_year=False)


@register.filter
def month(value: datetime) -> str:
    return formats.month(value)


@register.filter
def figure(value: float | Decimal, decimals: int) -> str:
    """Return a number with `decimals` decimal places."""
    return formats.number(value, decimals=decimals)


@register.filter
def listed(names: Iterable[object]) -> str:
    """Join names into a phrase, such as "Ann, Bo and Cy"."""
    return formats.listed([str(name) for name in names])


@register.filter
def capped(count: int, most: int) -> str:
    """Return a count, or text such as `99+` if it is above `most`."""
    return f"{most}+" if count > most else str(count)


@register.filter
def language(locale: str) -> str:
    """Return the name of a locale, such as "German (de-AT)" for `de-AT`."""
    return language_name(locale)


@register.filter
def role(name: str) -> str:
    """Return a role's name, such as "Supervisor" for `supervisor`."""
    return str(Membership.Role(name).label)


@register.simple_tag
def team_languages() -> dict[str, str]:
    """Return the languages of the team's pages: each code with the language's own name."""
    return TEAM_LANGUAGES


@register.simple_tag
def script_texts(folder: str) -> SafeString:
    """Return the texts for the scripts below `static/<folder>/` in the format that `desk/text.js` reads.

    Pages contain no inline scripts.
    """
    return format_html('<meta name="texts" content="{}">', json.dumps(texts_of_scripts(folder), ensure_ascii=False))


@register.filter
def share(value: float) -> str:
    """Return a share, from 0 to 1, as a percentage."""
    return formats.percentage(100 * value)


@register.filter
def breakable(address: str) -> SafeString:
    """Return an e-mail address that may wrap before the @."""
    name, at, host = address.partition("@")
    return format_html("{}<wbr>{}{}", name, at, host)


def texts_of_scripts(folder: str) -> Texts:
    """Map the English texts in a folder of scripts to their translations.

    A text with a plural has one translation per CLDR category.
    """
    samples = _samples(active_language())
    return {
        one: {category: ngettext(one, many, number) for category, number in samples.items()} if many else gettext(one)
        for one, many in _originals(folder)
    }


@cache
def _originals(folder: str) -> tuple[tuple[str, str], ...]:
    """Return the texts in the scripts of a static folder. Each comes with its plural, which is "" for most texts."""
    found = {}
    for script in _scripts_in(folder):
        for _, message, _, _ in extract_from_file("javascript", script, keywords=KEYWORDS):
            one, many = message if isinstance(message, tuple) else (message, "")
            found[one] = many
    return tuple(found.items())


def _scripts_in(folder: str) -> list[Path]:
    place = finders.find(folder)
    return sorted(Path(place).glob("*.js")) if isinstance(place, str) else []


@cache
def _samples(language: str) -> dict[str, int]:
    """Map each plural category of a language to the smallest whole number that belongs to it."""
    category_of = Locale.parse(language).plural_form
    return {category_of(number): number for number in reversed(range(MAX_SAMPLE))}


@register.filter
def as_html(answer: str) -> SafeString:
    """Return an answer from the assistant as its customer sees it: its Markdown as HTML."""
    return answer_html(answer)
