"""How states, times and errors are displayed. A state is readable without its colour."""

from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from supportbot.errors import SupportBotError
from supportbot.handoff.templatetags.desk import icon

ICONS: Final = {"ok": "check", "warn": "clock", "bad": "x-circle", "info": "info", "accent": "edit"}


def tag(kind: str, words: str) -> SafeString:
    """Return a tag; `kind` is ok, warn, bad, info, accent or empty."""
    drawn = icon(ICONS[kind]) if kind else ""
    return format_html('<span class="tag {}">{}{}</span>', kind, drawn, words)


def when(moment: datetime | None, *, otherwise: str = "never") -> str:
    """Return a time in the workspace's time zone, with the year only if it is not the current one."""
    if moment is None:
        return otherwise
    local = timezone.localtime(moment)
    is_this_year = local.year == timezone.localtime().year
    return f"{local:%-d %b, %H:%M}" if is_this_year else f"{local:%-d %b %Y, %H:%M}"


def sentence(refusal: SupportBotError) -> str:
    """Return an error's field messages, or its own message if there are none."""
    messages = [text for texts in refusal.fields.values() for text in texts]
    return " ".join(messages) or refusal.message
