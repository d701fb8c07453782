"""`manage.py kb_export DIR`: write the knowledge base as Markdown files that `kb_import` reads back."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from kb.exporting import export_articles
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = (
        "Write every article's live text (a draft's newest) as Markdown with front matter; archived ones are left out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", metavar="DIR", type=Path, help="made if it is not there")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        return {"articles": export_articles(options["folder"]), "folder": str(options["folder"])}
