"""`manage.py ask TEXT`: ask one question, as a customer would."""

import asyncio
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext, gettext_noop

from supportbot.accounts.commands import WorkspaceCommand
from supportbot.accounts.models import Workspace
from supportbot.assistant.ask_and_wait import ask, conversation_to_ask_in
from supportbot.language.terminal_text import for_terminal


class Command(WorkspaceCommand):
    help = gettext_noop("Ask the assistant one question, as a customer would, and print the answer with its sources.")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("text", help=gettext("what the customer says"))
        parser.add_argument(
            "--customer", default="", metavar="ID", help=gettext("a signed-in customer's id at the merchant")
        )
        parser.add_argument("--conversation", metavar="ID", help=gettext("continue this conversation"))
        parser.add_argument("--locale", default="", help=gettext("language of the conversation, such as en or de"))

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        conversation = conversation_to_ask_in(
            options["customer"],
            _uuid_or_none(options["conversation"]),
            locale=options["locale"] or workspace.locale,
        )
        asked = asyncio.run(ask(conversation, options["text"]))
        if "text" not in asked.payload:
            raise CommandError(gettext("The answer failed: {payload}.").format(payload=asked.payload["code"]))
        return {
            "answer": asked.payload["text"],
            "citations": asked.payload["citations"],
            "proposals": asked.proposals,
            "abstained": asked.payload["abstained"],
            "handoff": asked.has_handoff,
            "by": asked.payload["by"],
            "took_ms": asked.took_ms,
            "conversation": str(asked.conversation_id),
        }

    def words(self, facts: dict[str, Any]) -> str:
        sources = [
            f"  [{number}] {citation['title']}: “{' '.join(for_terminal(citation['quote']).split())}”"
            for number, citation in enumerate(facts["citations"], start=1)
        ]
        return "\n".join([for_terminal(facts["answer"]), *sources])


def _uuid_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise CommandError(
            gettext("--conversation “{text}” is not a valid conversation id.").format(text=text)
        ) from error
