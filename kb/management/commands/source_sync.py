"""`manage.py source_sync [NAME]`: read a source again, and publish what has changed."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.database_time import database_now
from kb.publication_report import REPORT_HELP, report_after
from kb.sources.archiving import confirm_loss
from kb.sources.foreground import follow, in_words
from kb.sources.models import Source
from kb.sources.runs import Mode
from kb.sources.selectors import changed_articles
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Read a source again and publish what is new or has changed. Articles that are gone from the source are "
        "archived. If a third of the source or more is gone, this requires --archive-lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "source", nargs="?", metavar="NAME", help=gettext("name or id of the source (default: all sources)")
        )
        parser.add_argument(
            "--dry-run", action="store_true", help=gettext("show what would happen without storing anything")
        )
        parser.add_argument(
            "--archive-lost",
            action="store_true",
            help=gettext("archive all articles that are gone from the source, however many"),
        )
        parser.add_argument(
            "--gate", action="store_true", help=gettext("reject texts that would make a gate case fail")
        )

        parser.add_argument("--report", action="store_true", help=gettext(REPORT_HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        self.failed = ""
        super().handle(*args, **options)
        if self.failed:
            raise CommandError(self.failed)

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        mode = Mode.CHECK if options["dry_run"] else Mode.SYNC
        found = [self._synced(source, mode, options) for source in _sources(options["source"])]
        return {"sources": found}

    def _synced(self, source: Source, mode: str, options: dict[str, Any]) -> dict[str, Any]:
        archives, since = options["archive_lost"], database_now()
        facts = follow(source, mode, self.stderr, asks_gates=options["gate"])
        if facts["state"] == "unconfirmed" and archives:
            archived = confirm_loss(source)
            going_on = follow(source, mode, self.stderr, asks_gates=True) if options["gate"] else {"state": "done"}
            facts |= {"archived": archived, **going_on}
        changed = changed_articles(source) if mode == Mode.SYNC else []
        if comparison := report_after(changed, since=since, waits=options["report"]):
            facts["comparison"] = comparison
        if facts["state"] == "failed":
            self.failed = f"{source.name}: {facts['reason']}"
        return {"name": source.name, "source": str(source.pk)} | facts

    def words(self, facts: dict[str, Any]) -> str:
        return "\n\n".join(f"{one['name']}\n{in_words(one)}" for one in facts["sources"])


def _sources(wanted: str | None) -> list[Source]:
    rows = Source.objects.select_related("collection")
    if not wanted:
        if not (found := list(rows)):
            raise CommandError(gettext("There are no sources yet. Add one with `manage.py source_add ADDRESS`."))
        return found
    found = [source for source in rows if wanted in (source.name, str(source.pk), source.address)]
    if not found:
        names = ", ".join(source.name for source in rows[:10])
        raise CommandError(
            gettext("There is no source called “{name}”. Available sources: {names}").format(
                name=wanted, names=names or "–"
            )
        )
    return found
