"""`manage.py forget_customer ID`: erase a customer and everything they said."""

from typing import Any

from django.core.management.base import CommandParser

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.chat.erasure import forget_customer
from supportbot.chat.personaldata import customer_named


class Command(WorkspaceCommand):
    help = (
        "Erase a customer, their conversations and everything that hangs on them, for good. Records of money stay, "
        "with ids that point to nobody. What was exported, mailed or backed up is not reached."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="ID", help="our id of the customer, or the merchant's")

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        customer = customer_named(options["customer"])
        customer_id = str(customer.pk)
        return {"workspace": workspace.slug, "customer": customer_id, "conversations": forget_customer(customer)}
