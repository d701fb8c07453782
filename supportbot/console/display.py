"""How states, times and errors are displayed. A state is readable without its colour."""

from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from supportbot.errors import SupportBotError
from supportbot.handoff.templatetags.desk import icon
from supportbot.team_formats import date_time

ICONS: Final = {"ok": "check", "warn": "clock", "bad": "x-circle", "info": "info", "accent": "edit"}


def tag(kind: str, words: str) -> SafeString:
    """Return a tag; `kind` is ok, warn, bad, info, accent or empty."""
    drawn = icon(ICONS[kind]) if kind else ""
    return format_html('<span class="tag {}">{}{}</span>', kind, drawn, words)


def when(moment: datetime | None, *, otherwise: str = "") -> str:
    """Return a time in the workspace's time zone, with the year only if it is not the current one.

    Without a time, return `otherwise`, by default "never".
    """
    if moment is None:
        return otherwise or gettext("never")
    is_this_year = timezone.localtime(moment).year == timezone.localtime().year
    return date_time(moment, with_year=not is_this_year)


def sentence(refusal: SupportBotError) -> str:
    """Return an error's field messages, or its own message if there are none."""
    messages = [text for texts in refusal.fields.values() for text in texts]
    return " ".join(messages) or refusal.message
