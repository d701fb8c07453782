"""`manage.py restore FILE`: a back-up becomes an installation again, where none is yet."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from supportbot.accounts.commands import ProductCommand
from supportbot.embedded.backup import restore
from supportbot.installation.errors import EmbeddedError
from supportbot.installation.plan import plan_from_environment


class Command(ProductCommand):
    help = "Bring a back-up into a new DATA_DIR, or into the empty database of DATABASE_URL; nothing may run there."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FILE", help="what `manage.py backup` wrote")

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_from_environment()
        try:
            about = restore(options["file"], plan)
        except EmbeddedError as refusal:
            raise CommandError(str(refusal)) from refusal
        place = f"the database of DATABASE_URL, and {plan.data_dir}" if plan.database_url else str(plan.data_dir)
        return {"restored_to": place, "version": about.version, "made_at": about.made_at}

    def words(self, facts: dict[str, Any]) -> str:
        next_step = (
            "Start it with `make run`, DATA_DIR and DATABASE_URL as they are now: migrations follow by themselves."
        )
        return f"{super().words(facts)}\n{next_step}"
