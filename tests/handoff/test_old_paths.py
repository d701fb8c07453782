"""Names that outlive a deployment, until 0.3."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from supportbot.accounts.models import User
from supportbot.chat.services import on_customer_message
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import customer_messages
from tests.handoff.browsing import browser


def test_the_old_setting_of_the_hook_is_still_read(settings: Settings) -> None:
    settings.CHAT_FRONT_DESK = "supportbot.handoff.frontdesk.on_customer_message"
    settings.CHAT_ON_CUSTOMER_MESSAGE = "supportbot.nowhere"
    assert on_customer_message() is customer_messages.on_customer_message


@pytest.mark.django_db
def test_the_old_address_of_the_activity_page_still_works(ticket: Ticket, bob: User) -> None:
    client: Client = browser(bob)
    assert client.get(f"/desk/tickets/{ticket.pk}/trail/").status_code == 200
