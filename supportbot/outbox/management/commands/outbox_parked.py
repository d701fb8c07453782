"""`manage.py outbox_parked`: list announcements that could not be delivered, and retry them once the cause is fixed."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.commands import TranslatedCommand
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import parked, retry_parked


class Command(TranslatedCommand):
    help = gettext_noop("List announcements parked after too many failures, or retry them.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retry", metavar="ID", help=gettext("the id of the announcement to retry, or `all`"))
        parser.add_argument("--json", action="store_true", help=gettext("print one JSON object instead of text"))

    def handle(self, *args: Any, **options: Any) -> None:
        facts = _retried(options["retry"]) if options["retry"] else _listed()
        self.stdout.write(json.dumps(facts, ensure_ascii=False) if options["json"] else _as_text(facts))


def _listed() -> dict[str, Any]:
    return {"parked": [_entry(announcement) for announcement in parked()]}


def _entry(announcement: Announcement) -> dict[str, Any]:
    return {
        "id": announcement.pk,
        "topic": announcement.topic,
        "object": str(announcement.object_id),
        "workspace": str(announcement.workspace_id),
        "attempts": announcement.attempts,
        "since": announcement.created_at.isoformat(),
        "error": announcement.last_error,
    }


def _retried(chosen: str) -> dict[str, Any]:
    if chosen != "all" and not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
        raise CommandError(
            gettext("--retry takes the id of a parked announcement or `all`, not “{chosen}”.").format(chosen=chosen)
        )
    released = retry_parked(None if chosen == "all" else int(chosen))
    if not released and chosen != "all":
        raise CommandError(
            gettext("There is no parked announcement {chosen}. `outbox_parked` lists them.").format(chosen=chosen)
        )
    return {"retried": released}


def _as_text(facts: dict[str, Any]) -> str:
    if "retried" in facts:
        number = facts["retried"]
        return ngettext(
            "{number} announcement will be retried within seconds.",
            "{number} announcements will be retried within seconds.",
            number,
        ).format(number=number)
    lines = [f"{row['id']}  {row['topic']} {row['object']}  {row['error']}" for row in facts["parked"]]
    return "\n".join(lines) or gettext("Nothing is parked.")
