"""Small things that the desk's templates say often: an icon, a time of day, a number that has little room."""

from datetime import datetime

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now
from django.utils.translation import get_language_info

from supportbot.language.detection import base_language

register = template.Library()


@register.simple_tag
def icon(name: str, kind: str = "") -> SafeString:
    """Draw an icon beside a word; it says nothing to a screen reader."""
    address = f"{static('pages/icons.svg')}#i-{name}"
    return format_html('<svg class="i {}" aria-hidden="true"><use href="{}"></use></svg>', kind, address)


@register.filter
def clock(moment: datetime) -> str:
    """Return the time in the zone in force, with the day unless it is today, and the year unless it is this one."""
    here, today = localtime(moment), localtime(now())
    if here.date() == today.date():
        return here.strftime("%H:%M")
    return here.strftime("%-d %b %H:%M" if here.year == today.year else "%-d %b %Y %H:%M")


@register.filter
def capped(count: int, most: int) -> str:
    """Return a number that fits its place: above `most`, that there are more than so many."""
    return f"{most}+" if count > most else str(count)


@register.filter
def language(locale: str) -> str:
    """Return a locale as a person calls it: `de-AT` is German (de-AT)."""
    code = base_language(locale)
    try:
        name = get_language_info(code)["name"]
    except KeyError:
        return locale
    return name if locale == code else f"{name} ({locale})"


@register.filter
def breakable(address: str) -> SafeString:
    """Return an e-mail address that breaks before its @, if it must."""
    name, at, host = address.partition("@")
    return format_html("{}<wbr>{}{}", name, at, host)
