"""A logged-in agent's browser, without scripts."""

from typing import Any

from django.test import Client

from supportbot.accounts.models import User
from supportbot.handoff.models import Ticket


def browser(user: User, **options: Any) -> Client:
    """Return a client with the user's session; server errors are responses, not exceptions."""
    client = Client(raise_request_exception=False, **options)
    client.force_login(user)
    return client


def get_json(client: Client, ticket: Ticket, name: str, **query: str) -> Any:
    """Return the response of one of the JSON views of a ticket's page."""
    return client.get(f"/desk/tickets/{ticket.pk}/{name}.json", query)
