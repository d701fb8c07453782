"""`manage.py action_export NAME`: print the definition of an action, to review it or keep it in Git."""

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.definitions.import_and_export import export_document
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace


class Command(WorkspaceCommand):
    help = gettext_noop("Print the published definition, or the newest draft if none was ever published.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--version-number", type=int, metavar="N", help=gettext("export this version instead"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        return export_document(options["name"], options["version_number"])

    def words(self, facts: dict[str, Any]) -> str:
        return json.dumps(facts, indent=2, ensure_ascii=False)
