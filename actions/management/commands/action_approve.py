"""`manage.py action_approve ID`: let a waiting request run, as a person who holds the right."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from actions.cards import face_of
from actions.models import ActionRequest
from actions.policies import approvers_of, policy_of
from actions.services import approve, concerns
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import User, Workspace
from supportbot.errors import NotFound


class Command(WorkspaceCommand):
    help = "Approve a request that waits for a person. The approver must hold the right on its policy."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("request", metavar="ID", type=_uuid)
        parser.add_argument("--as", dest="approver", metavar="USERNAME", default="", help="who approves")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        waiting = ActionRequest.objects.filter(pk=options["request"]).first()
        if waiting is None:
            raise NotFound(f"There is no request {options['request']} in this workspace.")
        person = _approver(waiting, options["approver"])
        request = approve(waiting.pk, approver=person, digest=waiting.digest)
        return {
            "request": str(request.pk),
            "state": str(request.state),
            "summary": face_of(request).summary,
            "approved_by": person.username,
        }


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not the id of a request (UUID).") from error


def _approver(request: ActionRequest, username: str) -> User:
    """Return the named person, or the only one who may approve this request."""
    if username:
        named: User | None = User.objects.filter(username=username).first()
        if named is None:
            raise NotFound(f"There is no person with the user name {username}.")
        return named
    policy = policy_of(request.action)
    able = [person for person in approvers_of(policy) if not concerns(request, person)] if policy else []
    if len(able) == 1:
        return able[0]
    names = ", ".join(person.username for person in able) or "nobody has the right yet"
    raise CommandError(f"Say who approves with --as USERNAME: {names}.")
