import pytest

from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return start_conversation(alice.pk)
