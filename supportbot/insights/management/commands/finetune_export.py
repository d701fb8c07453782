"""`manage.py finetune_export DIR`: write approved conversations as masked chat JSON Lines, with a data card."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import LABELS, WorkspaceCommand, days
from supportbot.accounts.models import Workspace
from supportbot.commands import a_path
from supportbot.insights.finetune import write_examples


class Command(WorkspaceCommand):
    help = gettext_noop("Export approved conversations for fine-tuning: masked, as chat JSON Lines, with a data card.")
    labels = {
        **LABELS,
        "made": gettext_noop("Created at"),
        "since": gettext_noop("From"),
        "until": gettext_noop("Until"),
        "total": gettext_noop("Examples"),
        "train": gettext_noop("For training"),
        "validation": gettext_noop("For validation"),
        "rated": gettext_noop("Approved by customers"),
        "corrected": gettext_noop("Answered by a person"),
        "languages": gettext_noop("Languages"),
    }

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("folder", type=a_path, metavar="DIR", help=gettext("a new or empty folder"))
        parser.add_argument(
            "--days",
            type=days,
            default=365,
            metavar="N",
            help=gettext("days to look back, including today (default: 365)"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        since = now() - timedelta(days=options["days"])
        return {"folder": str(options["folder"]), **write_examples(options["folder"], workspace, since=since)}
