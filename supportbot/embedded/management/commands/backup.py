"""`manage.py backup FILE`: back up the whole running installation to one file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import ProductCommand
from supportbot.commands import a_path
from supportbot.embedded.backup import back_up
from supportbot.embedded.servers.database_roles import refuse_two_databases
from supportbot.installation.errors import InstallationError
from supportbot.installation.running_instance import NOT_RUNNING


class Command(ProductCommand):
    help = gettext_noop("Back up the database and the secrets of the running installation to one new file.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "file", type=a_path, metavar="FILE", help=gettext("the file to create; it must not exist yet")
        )
        parser.add_argument(
            "--without-secrets", action="store_true", help=gettext("leave out secrets.json, if you keep it elsewhere")
        )

    def facts(self, options: dict[str, Any]) -> dict[str, Any]:
        file: Path = options["file"]
        if not settings.DATABASE_URL:
            raise CommandError(NOT_RUNNING)
        try:
            if settings.DATABASE_OWNER_URL:
                refuse_two_databases(settings.DATABASE_OWNER_URL, settings.DATABASE_URL)
            address = settings.DATABASE_OWNER_URL or settings.DATABASE_URL
            about = back_up(address, settings.DATA_DIR, file, with_secrets=not options["without_secrets"])
        except InstallationError as refusal:
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
            gettext("The backup contains every secret of the installation. Keep it where nobody else can read it.")
            if facts["has_secrets"]
            else gettext(
                "Restoring the backup needs the secrets (secrets.json, or SECRET_KEY and FIELD_KEYS). Keep them "
                "separately."
            )
        )
        return f"{super().words(facts)}\n{warning}"
