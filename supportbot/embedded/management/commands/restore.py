"""`manage.py restore FILE`: restore a backup into a new data directory or an empty database."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import ProductCommand
from supportbot.commands import a_path
from supportbot.embedded.backup import restore
from supportbot.installation.errors import InstallationError
from supportbot.installation.start_plan import plan_from_environment


class Command(ProductCommand):
    help = gettext_noop(
        "Restore a backup into a new DATA_DIR, or into the empty database in DATABASE_URL, while nothing runs there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=a_path, metavar="FILE", help=gettext("a file written by `manage.py backup`"))

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        plan = plan_from_environment()
        try:
            about = restore(options["file"], plan)
        except InstallationError as refusal:
            raise CommandError(str(refusal)) from refusal
        place = f"DATABASE_URL, {plan.data_dir}" if plan.database_url else str(plan.data_dir)
        return {"restored_to": place, "version": about.version, "made_at": about.made_at}

    def words(self, facts: dict[str, Any]) -> str:
        next_step = gettext(
            "Start it with `make run` and the same DATA_DIR and DATABASE_URL. Migrations run automatically."
        )
        return f"{super().words(facts)}\n{next_step}"
