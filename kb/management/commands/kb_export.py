"""`manage.py kb_export DIR`: write the knowledge base as Markdown files that `kb_import` reads back."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from kb.importing.exporter import export_live, export_with_drafts
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = "Write every live article's text as Markdown with front matter, which kb_import reads back unchanged."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", metavar="DIR", type=Path, help="made if it is not there")
        parser.add_argument("--drafts", action="store_true", help="write articles that were never published, too")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        export = export_with_drafts if options["drafts"] else export_live
        return {"articles": export(options["folder"]), "folder": str(options["folder"])}
