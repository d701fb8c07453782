"""`manage.py action_approve ID`: approve a waiting request, as a person who has the right."""

from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.approvers import approvers_of
from actions.audit import actor_of
from actions.cards import card_of
from actions.models import ActionRequest
from actions.policy_store import policy_of
from actions.selectors import approvals_given
from actions.services import approve, is_conflict_of_interest, may_decide
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import User, Workspace
from supportbot.errors import NotFound


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Approve a request that is waiting for approval. The action's rules must let the approver approve it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("request", metavar="ID", type=_uuid)
        parser.add_argument(
            "--as", dest="approver", metavar="USERNAME", default="", help=gettext("the person who approves")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        waiting = ActionRequest.objects.filter(pk=options["request"]).first()
        if waiting is None:
            raise NotFound(gettext("Request {id} does not exist in this workspace.").format(id=options["request"]))
        person = _approver(waiting, options["approver"])
        request = approve(waiting.pk, approver=person, digest=waiting.digest)
        return {
            "request": str(request.pk),
            "state": str(request.state),
            "summary": card_of(request).summary,
            "approved_by": person.username,
            "approvals": {"needed": request.approvals_needed, "given": approvals_given(request)},
        }


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ArgumentTypeError(gettext("“{text}” is not a request ID (UUID).").format(text=text)) from error


def _approver(request: ActionRequest, username: str) -> User:
    """Return the named person, or else the only person who may approve this request."""
    if username:
        named: User | None = User.objects.filter(username=username).first()
        if named is None:
            raise NotFound(gettext("User {username} does not exist.").format(username=username))
        return named
    policy = policy_of(request.action)
    entitled = [person for person in approvers_of(policy) if may_decide(request, person)] if policy else []
    able = [
        person
        for person in entitled
        if not is_conflict_of_interest(request, person) and request.first_approved_by != actor_of(person)
    ]
    if len(able) == 1:
        return able[0]
    names = ", ".join(person.username for person in able) or gettext("nobody may approve yet")
    raise CommandError(gettext("Specify the approver with --as USERNAME: {names}.").format(names=names))
