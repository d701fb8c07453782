"""`manage.py action_propose NAME --customer ID --args JSON`: ask for an action in a customer's place, as an operator.

The same way as a customer's wish: schema, ownership, policy and approval apply, and the audit names the operator.
"""

import getpass
from typing import Any

from django.core.management.base import CommandParser

from actions.cards import face_of, reason_of
from actions.models import ActionRequest
from actions.principals import Principal, customer_known_as, operator_for, stored
from actions.registry import action_named
from actions.services import confirm, preview, propose, run_read
from actions.states import State
from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.ids import uuid7


class Command(WorkspaceCommand):
    help = "Propose an action for a customer; with --confirm also confirm it. An operator's act, audited as such."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="the action, such as refund_order")
        parser.add_argument("--customer", metavar="ID", required=True, help="the merchant's id of the customer")
        parser.add_argument(
            "--args", dest="arguments", metavar="JSON", default="{}", help="the action's arguments, one JSON object"
        )
        parser.add_argument("--confirm", action="store_true", help="confirm in the customer's place")
        parser.add_argument("--dry-run", action="store_true", help="say what would be decided, store nothing")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        customer = customer_known_as(options["customer"])
        if not options["dry_run"]:
            customer = stored(customer)
        principal = operator_for(customer, getpass.getuser())
        if action_named(options["name"]).is_read:
            return run_read(principal, options["name"], options["arguments"])
        if options["dry_run"]:
            return _previewed(principal, options)
        request = propose(principal, options["name"], options["arguments"], proposal_key=f"operator:{uuid7()}")
        if options["confirm"] and request.state == State.AWAITING_CONFIRMATION:
            request = confirm(request.pk, principal=principal, digest=request.digest)
        return _told(request)


def _previewed(principal: Principal, options: dict[str, Any]) -> dict[str, Any]:
    shown = preview(principal, options["name"], options["arguments"])
    reason = shown.decision.reason
    shown.request.reason_code = reason.code if reason else ""
    shown.request.reason_facts = dict(reason.facts) if reason else {}
    told = {"decision": str(shown.decision.verdict), **_told(shown.request), "dry_run": True}
    return {name: value for name, value in told.items() if name not in ("request", "state", "digest")}


def _told(request: ActionRequest) -> dict[str, Any]:
    return {
        "request": str(request.pk),
        "action": request.action,
        "state": str(request.state),
        "summary": face_of(request).summary,
        "arguments": request.arguments,
        "digest": request.digest,
        "needs_approval": request.needs_approval,
        "reason": reason_of(request),
    }
