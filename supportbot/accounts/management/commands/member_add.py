"""`manage.py member_add USERNAME --role ROLE`: give an existing account a role."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext_noop

from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.team_members import add_existing_person


class Command(WorkspaceCommand):
    help = gettext_noop("Give an existing account a role in the workspace, replacing any role it already has there.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=Membership.Role.values)

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        membership = add_existing_person(workspace, options["username"], role=options["role"], actor=operator())
        return {"workspace": workspace.slug, "username": options["username"], "role": membership.role}
