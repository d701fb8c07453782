"""`manage.py user_create USERNAME --role ROLE`: create a team member, whose password is shown once."""

import secrets
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.team_members import create_person


class Command(WorkspaceCommand):
    help = gettext_noop("Create a team member of the workspace and print their generated password.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=Membership.Role.values)
        parser.add_argument("--name", default="", help=gettext("the name that customers and colleagues see"))
        parser.add_argument("--email", default="")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        password = secrets.token_urlsafe(12)
        create_person(
            workspace,
            options["username"],
            role=options["role"],
            password=password,
            name=options["name"],
            email=options["email"],
            actor=operator(),
        )
        return {
            "workspace": workspace.slug,
            "username": options["username"],
            "role": options["role"],
            "password": password,
        }
