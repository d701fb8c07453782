"""`manage.py forget_customer ID`: erase a customer and everything they wrote."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.customers import customer_named
from supportbot.accounts.models import Workspace
from supportbot.chat.erasure import forget_customer


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Permanently erase a customer, their conversations and everything that belongs to them. Financial records "
        "are kept, with ids that no longer refer to anyone. Exports, sent e-mails and backups are not affected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="ID", help=gettext("the customer's id, here or at the merchant"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        customer = customer_named(options["customer"])
        customer_id, count = str(customer.pk), forget_customer(customer, actor=operator())
        return {"workspace": workspace.slug, "customer": customer_id, "conversations": count}
