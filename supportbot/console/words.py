"""How states, moments and refusals read on pages. A state's word says it, its colour only helps."""

from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from supportbot.errors import SupportBotError
from supportbot.handoff.templatetags.desk import icon

ICONS: Final = {"ok": "check", "warn": "clock", "bad": "x-circle", "info": "info", "accent": "edit"}


def tag(kind: str, words: str) -> SafeString:
    """Return the mark; `kind` is ok, warn, bad, info, accent or nothing."""
    drawn = icon(ICONS[kind]) if kind else ""
    return format_html('<span class="tag {}">{}{}</span>', kind, drawn, words)


def when(moment: datetime | None, *, otherwise: str = "never") -> str:
    """Return a moment in the workspace's time: with the year only where it is another one than now."""
    if moment is None:
        return otherwise
    local = timezone.localtime(moment)
    is_this_year = local.year == timezone.localtime().year
    return f"{local:%-d %b, %H:%M}" if is_this_year else f"{local:%-d %b %Y, %H:%M}"


def sentence(refusal: SupportBotError) -> str:
    """Return what an error says for a page: its fields' messages, or its own."""
    said = [text for texts in refusal.fields.values() for text in texts]
    return " ".join(said) or refusal.message
