"""`manage.py action_approve ID`: approve a waiting request, as a person who has the right."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from actions.cards import card_of
from actions.models import ActionRequest
from actions.policies import approvers_of, policy_of
from actions.services import approve, is_conflict_of_interest
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import User, Workspace
from supportbot.errors import NotFound


class Command(WorkspaceCommand):
    help = "Approve a request that is waiting for approval. The approver must have the right on its policy."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("request", metavar="ID", type=_uuid)
        parser.add_argument("--as", dest="approver", metavar="USERNAME", default="", help="the person who approves")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        waiting = ActionRequest.objects.filter(pk=options["request"]).first()
        if waiting is None:
            raise NotFound(f"Request {options['request']} does not exist in this workspace.")
        person = _approver(waiting, options["approver"])
        request = approve(waiting.pk, approver=person, digest=waiting.digest)
        return {
            "request": str(request.pk),
            "state": str(request.state),
            "summary": card_of(request).summary,
            "approved_by": person.username,
        }


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a request ID (UUID).") from error


def _approver(request: ActionRequest, username: str) -> User:
    """Return the named person, or else the only person who may approve this request."""
    if username:
        named: User | None = User.objects.filter(username=username).first()
        if named is None:
            raise NotFound(f"User {username} does not exist.")
        return named
    policy = policy_of(request.action)
    able = [person for person in approvers_of(policy) if not is_conflict_of_interest(request, person)] if policy else []
    if len(able) == 1:
        return able[0]
    names = ", ".join(person.username for person in able) or "nobody has the right yet"
    raise CommandError(f"Name the approver with --as USERNAME: {names}.")
