"""`manage.py apikey_create NAME --scope S`: create an API key, shown once."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.principals import SCOPES


class Command(WorkspaceCommand):
    help = gettext_noop("Create an API key. It is printed once and stored as a hash.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help=gettext("what the key is for"))
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            help=gettext("one of {scopes}; may be repeated").format(scopes=", ".join(sorted(SCOPES))),
        )
        parser.add_argument(
            "--user", default="", metavar="USERNAME", help=gettext("the person the key acts as (default: a service)")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        user = _member(workspace, options["user"]) if options["user"] else None
        new = issue_api_key(workspace, options["name"], scopes=options["scope"], user=user, actor=operator())
        return {"workspace": workspace.slug, "name": new.row.name, "scopes": new.row.scopes, "api_key": new.plain}


def _member(workspace: Workspace, username: str) -> User:
    user = User.objects.filter(username=username, memberships__workspace=workspace).first()
    if user is None:
        raise CommandError(
            gettext(
                "{username} is not a member of {slug}. `manage.py user_create` creates an account, `member_add` adds "
                "an existing one."
            ).format(username=username, slug=workspace.slug)
        )
    return user
