"""`manage.py member_add USERNAME --role ROLE`: a role for somebody who has an account already."""

from typing import Any

from django.core.management.base import CommandParser

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.people import let_in


class Command(WorkspaceCommand):
    help = "Give a person who has an account a role in the workspace, in place of the one they have there, if any."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=Membership.Role.values)

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        membership = let_in(workspace, options["username"], role=options["role"])
        return {"workspace": workspace.slug, "username": options["username"], "role": membership.role}
