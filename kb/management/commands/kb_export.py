"""`manage.py kb_export DIR`: export the knowledge base as Markdown files that `kb_import` can read."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from kb.importing.exporter import export_live, export_with_drafts
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.commands import a_path


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Export every live article as Markdown with front matter, which kb_import reads back unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", metavar="DIR", type=a_path, help=gettext("created if it does not exist"))
        parser.add_argument(
            "--drafts", action="store_true", help=gettext("also export articles that were never published")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        export = export_with_drafts if options["drafts"] else export_live
        return {"articles": export(options["folder"]), "folder": str(options["folder"])}
