"""The preview of a chat beside the channel's form, drawn from what is typed, without storing it."""

import json
from dataclasses import dataclass

from supportbot.accounts.branding import personalised_greeting, theme_colours
from supportbot.accounts.hours import hours_of
from supportbot.accounts.logos import logo_path
from supportbot.accounts.models import Channel, Workspace
from supportbot.chat.notice import ai_notice
from supportbot.formats import text_direction
from supportbot.handoff.tickets.notices import TEAM_HOURS
from supportbot.language.detection import base_language
from supportbot.releases.selectors import current
from supportbot.translation import language_of, text_in


@dataclass(frozen=True, slots=True)
class Preview:
    """What a customer would see; `colours` is JSON for the page's script."""

    name: str
    logo: str
    locale: str
    direction: str
    greeting: str
    notice: str
    suggestions: tuple[str, ...]
    hours: str
    colours: str
    is_at_start: bool


def preview(channel: Channel, workspace: Workspace) -> Preview:
    """Return how a channel, stored or not, greets a visitor in its own language."""
    document = current().document
    locale = channel.locale or workspace.locale
    texts = language_of(base_language(locale))
    hours = hours_of(channel.hours)
    colours = theme_colours(channel.accent or workspace.accent)
    return Preview(
        name=channel.assistant_name or document.name or channel.name or workspace.name,
        logo=logo_path(workspace),
        locale=locale,
        direction=text_direction(texts),
        greeting=personalised_greeting(channel.greeting_in(locale, otherwise=document.greetings), ""),
        notice=ai_notice(locale),
        suggestions=tuple(channel.suggestions_in(locale)),
        hours=text_in(texts, TEAM_HOURS, hours=hours.in_words(texts)) if hours else "",
        colours=json.dumps(colours.get("light", {})),
        is_at_start=channel.position == Channel.Position.START,
    )
