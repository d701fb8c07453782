"""`manage.py workspace_create NAME`: create a workspace for a company or brand."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import ProductCommand
from supportbot.accounts.workspaces import create_workspace


class Command(ProductCommand):
    help = gettext_noop("Create a workspace.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument(
            "--slug", default="", help=gettext("short name for addresses and commands (default: derived from the name)")
        )
        parser.add_argument("--locale", default="en")
        parser.add_argument("--currency", default="EUR")

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        workspace = create_workspace(
            options["name"], slug=options["slug"], locale=options["locale"], currency=options["currency"]
        )
        return {"workspace": workspace.slug, "name": workspace.name, "id": str(workspace.pk)}
