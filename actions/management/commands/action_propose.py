"""`manage.py action_propose NAME --customer ID --args JSON`: request an action for a customer, as an operator.

The same checks apply as for customers: schema, ownership, policy and approval. The audit trail names the operator.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from actions.cards import card_of, reason_of
from actions.connections.client import NoAnswer, NotSent
from actions.errors import InvalidArguments, MerchantUnavailable
from actions.models import ActionRequest
from actions.principals import Principal, find_customer, operator_for, stored
from actions.record_choices import form_choices
from actions.registry import action_named
from actions.services import confirm, preview, propose, run_read
from actions.states import State
from supportbot.accounts.commands import WorkspaceCommand, account_name, one_sentence
from supportbot.accounts.models import Workspace
from supportbot.errors import SupportBotError
from supportbot.ids import uuid7


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Propose an action for a customer, and confirm it with --confirm. The audit trail names the operator."
    )
    labels: ClassVar[Mapping[str, str]] = {}  # a look-up prints the merchant's fields under their own names

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help=gettext("an action, such as refund_order"))
        parser.add_argument(
            "--customer", metavar="ID", required=True, help=gettext("the merchant's ID of the customer")
        )
        parser.add_argument(
            "--args",
            dest="arguments",
            metavar="JSON",
            default="{}",
            help=gettext("the action's arguments, as a JSON object"),
        )
        parser.add_argument("--confirm", action="store_true", help=gettext("also confirm it for the customer"))
        parser.add_argument(
            "--dry-run", action="store_true", help=gettext("show what would be decided without storing anything")
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._carried_out(options)
        except MerchantUnavailable as error:
            # The operator may know why: this terminal lacks the PRIVATE_NETWORKS of the running instance, for example.
            why = error.__cause__.why if isinstance(error.__cause__, NotSent | NoAnswer) else ""
            raise CommandError(f"{error.message} {why}".strip()) from error

    def _carried_out(self, options: dict[str, Any]) -> dict[str, Any]:
        customer = find_customer(options["customer"])
        if not options["dry_run"]:
            customer = stored(customer)
        principal = operator_for(customer, account_name())
        try:
            return _answered(principal, options)
        except InvalidArguments as error:
            raise CommandError("\n".join([one_sentence(error), *_to_choose_from(principal, options, error)])) from error


def _answered(principal: Principal, options: dict[str, Any]) -> dict[str, Any]:
    if action_named(options["name"]).is_read:
        return run_read(principal, options["name"], options["arguments"])
    if options["dry_run"]:
        return _preview(principal, options)
    request = propose(principal, options["name"], options["arguments"], proposal_key=f"operator:{uuid7()}")
    if options["confirm"] and request.state == State.AWAITING_CONFIRMATION:
        request = confirm(request.pk, principal=principal, digest=request.digest)
    return _as_dict(request)


def _to_choose_from(principal: Principal, options: dict[str, Any], error: InvalidArguments) -> Iterator[str]:
    """Yield the customer's records for each wrong argument that is chosen from them."""
    with suppress(SupportBotError):
        for name, choices in form_choices(principal, options["name"], options["arguments"]).items():
            for one in choices.offered if name in error.fields else ():
                yield f"  {name}: {one.value} ({one.label})"


def _preview(principal: Principal, options: dict[str, Any]) -> dict[str, Any]:
    shown = preview(principal, options["name"], options["arguments"])
    reason = shown.decision.reason
    shown.request.reason_code = reason.code if reason else ""
    shown.request.reason_facts = dict(reason.facts) if reason else {}
    facts = {"decision": str(shown.decision.verdict), **_as_dict(shown.request), "dry_run": True}
    return {name: value for name, value in facts.items() if name not in ("request", "state", "digest")}


def _as_dict(request: ActionRequest) -> dict[str, Any]:
    return {
        "request": str(request.pk),
        "action": request.action,
        "state": str(request.state),
        "summary": card_of(request).summary,
        "arguments": request.arguments,
        "digest": request.digest,
        "needs_approval": request.needs_approval,
        "reason": reason_of(request),
    }
