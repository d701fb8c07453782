"""`manage.py backup FILE`: the whole installation in one file, while it runs."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from supportbot.accounts.commands import ProductCommand
from supportbot.embedded.backup import back_up
from supportbot.installation.errors import EmbeddedError
from supportbot.installation.runtime import NOTHING_RUNS


class Command(ProductCommand):
    help = "Write database and secrets of the running installation into one new file."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")
        parser.add_argument(
            "--without-secrets", action="store_true", help="leave secrets.json out, to be kept in another place"
        )

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        file: Path = options["file"]
        if not settings.DATABASE_URL:
            raise CommandError(NOTHING_RUNS)
        try:
            about = back_up(settings.DATABASE_URL, settings.DATA_DIR, file, with_secrets=not options["without_secrets"])
        except EmbeddedError as refusal:
            raise CommandError(str(refusal)) from refusal
        return {
            "file": str(file.resolve()),
            "bytes": file.stat().st_size,
            "version": about.version,
            "made_at": about.made_at,
            "has_secrets": about.has_secrets,
        }

    def words(self, facts: dict[str, Any]) -> str:
        warning = (
            "It holds every secret of the installation: keep it where nobody else can read it."
            if facts["has_secrets"]
            else "It opens only with the secrets (secrets.json, or SECRET_KEY and FIELD_KEYS): keep them apart."
        )
        return f"{super().words(facts)}\n{warning}"
