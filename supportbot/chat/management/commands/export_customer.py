"""`manage.py export_customer ID`: print everything stored about one customer, as JSON."""

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.customers import customer_named
from supportbot.accounts.models import Workspace
from supportbot.chat.data_export import Encoder, export_for


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Print everything stored about one customer, as JSON (with or without --json), grouped by table."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="ID", help=gettext("the customer's id, here or at the merchant"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        customer = customer_named(options["customer"])
        held = export_for(customer, actor=operator())
        # Times, ids and amounts in their JSON form.
        readable: dict[str, Any] = json.loads(json.dumps(held, cls=Encoder))
        return {"workspace": workspace.slug, "customer": str(customer.pk), "held": readable}

    def words(self, facts: dict[str, Any]) -> str:
        return json.dumps(facts, ensure_ascii=False, indent=2)
