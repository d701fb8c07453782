"""`manage.py source_add ADDRESS|PATH`: add a source, and read it."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from kb.models import Audience
from kb.sources.foreground import follow, in_words, is_web_address
from kb.sources.models import FOLDER, SITE, Source
from kb.sources.runs import Mode, next_due
from kb.sources.services import SourceChanges, add_source
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.commands import not_empty


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Add a source of articles: the address of a website or its sitemap, or a folder on this machine. It is read "
        "immediately (unless --no-sync is given), and then as often as --every specifies."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "address", metavar="ADDRESS|PATH", type=not_empty, help=gettext("a web address, a file or a folder")
        )
        parser.add_argument("--name", default="", help=gettext("name of the source (default: its address)"))
        parser.add_argument("--collection", metavar="NAME", help=gettext("the collection for the articles"))
        parser.add_argument("--audience", choices=Audience.values, help=gettext("who may read the articles"))
        parser.add_argument("--draft", action="store_true", help=gettext("save drafts instead of publishing"))
        parser.add_argument("--every", choices=["hour", "day", "week"], help=gettext("how often to read it again"))
        parser.add_argument("--delay", type=float, metavar="SECONDS", help=gettext("pause between two pages"))
        parser.add_argument("--depth", type=int, help=gettext("how many links to follow from the first page"))
        parser.add_argument("--most", type=int, metavar="PAGES", help=gettext("stop after this number of pages"))
        for name, help_text in (
            ("section", gettext("read only pages below this path; may be repeated")),
            ("include", gettext("read only paths that match this pattern, with * as a wildcard; may be repeated")),
            ("exclude", gettext("skip paths that match this pattern, with * as a wildcard; may be repeated")),
        ):
            parser.add_argument(f"--{name}", action="append", metavar="PATH", help=help_text)
        parser.add_argument(
            "--allow-private", action="store_true", help=gettext("let this source reach addresses in private networks")
        )
        parser.add_argument("--no-sync", action="store_true", help=gettext("add the source, but do not read it now"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        source = add_source(kind_of_address(options["address"]), _changes(options))
        facts: dict[str, Any] = {"source": str(source.pk), "name": source.name}
        if options["no_sync"]:
            Source.objects.filter(pk=source.pk).update(due_at=next_due(source.schedule, now()))
            return facts
        return facts | follow(source, Mode.SYNC, self.stderr)

    def words(self, facts: dict[str, Any]) -> str:
        return f"{facts['name']}\n{in_words(facts)}" if "state" in facts else super().words(facts)


def kind_of_address(address: str) -> str:
    """Return the kind of source that an address or path belongs to; raises CommandError if it is neither."""
    if is_web_address(address):
        return SITE
    if Path(address).exists():
        return FOLDER
    raise CommandError(gettext("{address} is neither a web address nor a file or folder here.").format(address=address))


def _changes(options: dict[str, Any]) -> SourceChanges:
    every = {"hour": Source.Schedule.HOURLY, "day": Source.Schedule.DAILY, "week": Source.Schedule.WEEKLY}
    return SourceChanges(
        name=options["name"] or None,
        address=options["address"],
        collection=options["collection"],
        audience=options["audience"],
        publishes=not options["draft"],
        schedule=every.get(options["every"]),
        delay_seconds=options["delay"],
        allows_private=options["allow_private"],
        depth=options["depth"],
        most=options["most"],
        sections=options["section"],
        include=options["include"],
        exclude=options["exclude"],
    )
