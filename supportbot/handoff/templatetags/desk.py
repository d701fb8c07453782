"""Tags and filters of the desk's templates: icons, times, counts, languages and addresses."""

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
    """Return an icon, hidden from screen readers."""
    address = f"{static('pages/icons.svg')}#i-{name}"
    return format_html('<svg class="i {}" aria-hidden="true"><use href="{}"></use></svg>', kind, address)


@register.filter
def clock(moment: datetime) -> str:
    """Return the local time, with the day unless it is today and the year unless it is this year."""
    here, today = localtime(moment), localtime(now())
    if here.date() == today.date():
        return here.strftime("%H:%M")
    return here.strftime("%-d %b %H:%M" if here.year == today.year else "%-d %b %Y %H:%M")


@register.filter
def capped(count: int, most: int) -> str:
    """Return a count, or `99+` if it is above `most`."""
    return f"{most}+" if count > most else str(count)


@register.filter
def language(locale: str) -> str:
    """Return the name of a locale: `de-AT` is German (de-AT)."""
    code = base_language(locale)
    try:
        name = get_language_info(code)["name"]
    except KeyError:
        return locale
    return name if locale == code else f"{name} ({locale})"


@register.filter
def breakable(address: str) -> SafeString:
    """Return an e-mail address that may wrap before its @."""
    name, at, host = address.partition("@")
    return format_html("{}<wbr>{}{}", name, at, host)
